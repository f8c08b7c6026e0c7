package main

import (
	"fmt"
	"go/types"
	"slices"

	"golang.org/x/tools/go/packages"
)

// surface returns the exported declarations of a package, one line each, sorted.
func surface(module, dir string) ([]string, error) {
	loaded, err := packages.Load(&packages.Config{
		Dir:  module,
		Mode: packages.NeedName | packages.NeedTypes | packages.NeedImports | packages.NeedDeps | packages.NeedSyntax | packages.NeedTypesInfo,
	}, "./"+dir)
	if err != nil {
		return nil, err
	}
	if len(loaded) != 1 || len(loaded[0].Errors) > 0 {
		return nil, fmt.Errorf("%s/%s does not compile: %v", module, dir, loaded[0].Errors)
	}
	pkg := loaded[0].Types
	s := &writer{pkg: pkg}
	for _, name := range pkg.Scope().Names() {
		if object := pkg.Scope().Lookup(name); object.Exported() {
			s.object(object)
		}
	}
	slices.Sort(s.lines)
	return s.lines, nil
}

// writer collects the lines of one package.
type writer struct {
	pkg   *types.Package
	lines []string
}

func (w *writer) add(format string, args ...any) {
	w.lines = append(w.lines, fmt.Sprintf(format, args...))
}

// name writes types of other packages with the name of their package, and the package's
// own without.
func (w *writer) name(p *types.Package) string {
	if p == w.pkg {
		return ""
	}
	return p.Name()
}

func (w *writer) text(t types.Type) string { return types.TypeString(t, w.name) }

func (w *writer) signature(f *types.Func) string { return w.text(f.Type())[len("func"):] }

func (w *writer) object(object types.Object) {
	switch object := object.(type) {
	case *types.Const:
		w.add("const %s %s = %s", object.Name(), w.text(object.Type()), object.Val().ExactString())
	case *types.Var:
		w.add("var %s %s", object.Name(), w.text(object.Type()))
	case *types.Func:
		w.add("func %s%s", object.Name(), w.signature(object))
	case *types.TypeName:
		w.declared(object)
	}
}

func (w *writer) declared(object *types.TypeName) {
	name := object.Name()
	if alias, ok := object.Type().(*types.Alias); ok {
		w.add("type %s = %s", name, w.text(alias.Rhs()))
		return
	}
	named, ok := object.Type().(*types.Named)
	if !ok {
		return
	}
	parameters := ""
	if named.TypeParams().Len() > 0 {
		parameters = w.text(named)[len(name):]
	}
	switch under := named.Underlying().(type) {
	case *types.Struct:
		note := ""
		if !types.Comparable(under) {
			note = " // not comparable"
		}
		w.add("type %s%s struct%s", name, parameters, note)
		for field := range under.Fields() {
			if field.Exported() {
				w.add("field %s.%s %s", name, field.Name(), w.text(field.Type()))
			}
		}
	case *types.Interface:
		sealed := ""
		for method := range under.Methods() {
			if !method.Exported() {
				sealed = " // other packages cannot implement it"
				continue
			}
			w.add("method %s.%s%s", name, method.Name(), w.signature(method))
		}
		w.add("type %s%s interface%s", name, parameters, sealed)
	default:
		w.add("type %s%s %s", name, parameters, w.text(under))
	}
	for method := range named.Methods() {
		if method.Exported() {
			receiver, _ := types.Unalias(method.Signature().Recv().Type()).(*types.Pointer)
			star := ""
			if receiver != nil {
				star = "*"
			}
			w.add("func (%s%s) %s%s", star, name, method.Name(), w.signature(method))
		}
	}
}
