// Command site writes what the site is built from: the pages of docs/ in both languages,
// the reference of every published package, and llms.txt for programs that write code.
// vitepress makes HTML of it (.vitepress/config.mjs). Run it by make site.
//
//	go run . -root .. -out content
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	root := flag.String("root", "..", "the folder of the project")
	out := flag.String("out", "content", "the folder to write, which is removed first")
	flag.Parse()
	if err := makeSite(*root, *out); err != nil {
		fmt.Fprintln(os.Stderr, "site:", err)
		os.Exit(1)
	}
}

func makeSite(root, out string) error {
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	site, err := findPages(root)
	if err != nil {
		return err
	}
	packages, err := findPackages(root)
	if err != nil {
		return err
	}
	for _, p := range packages {
		site.add(page{route: p.route(), title: p.name(), text: p.markdown(packages)})
	}
	site.pair()
	if err := site.write(out); err != nil {
		return err
	}
	return site.writeForPrograms(out)
}
