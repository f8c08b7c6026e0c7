package cli

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	intram "github.com/intram/intram-go"
)

// listing holds the flags of a list.
type listing struct {
	limit         int
	since, before string
	all           bool
	typ, status   string
}

// flags adds the flags of a list; without types, its items are of one type.
func (l *listing) flags(cmd *cobra.Command, types, statuses []string) {
	flags := cmd.Flags()
	flags.IntVar(&l.limit, "limit", 0, "how many, 1 to 100 (default 20)")
	flags.StringVar(&l.since, "since", "", "only what was created at this `time` or later: "+timesHelp)
	flags.StringVar(&l.before, "before", "", "only what was created before this `time`, written likewise")
	flags.BoolVar(&l.all, "all", false, "everything, page by page; nothing is lost between pages")
	if len(types) > 0 {
		flags.StringVar(&l.typ, "type", "", "only this type: "+join(types))
		complete(cmd, "type", types...)
	}
	flags.StringVar(&l.status, "status", "", "only this status: "+join(statuses))
	complete(cmd, "since", "today", "yesterday", "2h", "3d")
	complete(cmd, "status", statuses...)
}

// check reads --since and --before. It refuses a --limit of 0, which would mean the
// default and is probably a mistake.
func (l *listing) check(a *app, cmd *cobra.Command) (since, before time.Time, err error) {
	if l.limit == 0 && cmd.Flags().Changed("limit") {
		return since, before, usagef("--limit must be between 1 and 100")
	}
	if since, err = a.readTime("--since", l.since); err != nil {
		return since, before, err
	}
	before, err = a.readTime("--before", l.before)
	return since, before, err
}

// sayMore prints how to read on after a page.
func (a *app) sayMore(next time.Time) {
	if !next.IsZero() {
		a.note("There are more: add --before %s, or --all.", next.UTC().Format("2006-01-02T15:04:05.000Z"))
	}
}

// readList reads a whole list, or one page and where the next one begins.
func readList[T, Params any](ctx context.Context, whole bool, params Params,
	all func(context.Context, Params, ...intram.CallOption) iter.Seq2[*T, error],
	list func(context.Context, Params, ...intram.CallOption) (*intram.Page[T], error),
) (items []*T, odd unreadable, next time.Time, err error) {
	if whole {
		for item, err := range all(ctx, params) {
			if one := new(intram.ItemError); errors.As(err, &one) {
				odd = append(odd, one)
				continue
			}
			if err != nil {
				return nil, nil, time.Time{}, err
			}
			items = append(items, item)
		}
		return items, odd, time.Time{}, nil
	}
	page, err := list(ctx, params)
	if err != nil {
		return nil, nil, time.Time{}, err
	}
	for i := range page.Items {
		items = append(items, &page.Items[i])
	}
	return items, page.Unreadable, page.NextBefore, nil
}

// unreadable holds the items of a list that cannot be read. They are missing from the
// output.
type unreadable []*intram.ItemError

// err returns an error if items are missing from the printed list.
func (u unreadable) err() error {
	if len(u) == 0 {
		return nil
	}
	return &exitError{exitNoAnswer, fmt.Errorf("incomplete list: %d unreadable items, the first: %w", len(u), u[0])}
}

// words returns constants as strings.
func words[W ~string](list ...W) []string {
	plain := make([]string, len(list))
	for i, w := range list {
		plain[i] = string(w)
	}
	return plain
}

// join lists words for the help.
func join(words []string) string { return strings.Join(words, ", ") }

// narrowing is a column and its maximal width; with 0 it is left out.
type narrowing struct {
	column string
	width  int
}

// day is the width of a time of which only the day is left.
const day = len(time.DateOnly)

// fit leaves out empty columns, and narrows columns in the order given, until the table
// is no wider than a screen.
func fit(header []string, rows [][]string, steps ...narrowing) (narrow []string, _ [][]string) {
	header = slices.Clone(header)
	for i := len(header) - 1; i >= 0 && width(header, rows) > columns; i-- {
		if !slices.ContainsFunc(rows, func(row []string) bool { return row[i] != "" }) {
			header, rows = without(header, rows, i)
		}
	}
	for _, step := range steps {
		i := slices.Index(header, step.column)
		if i < 0 || width(header, rows) <= columns {
			continue
		}
		if step.width == 0 {
			header, rows = without(header, rows, i)
			continue
		}
		for _, row := range rows {
			if step.width == day && strings.HasSuffix(row[i], "Z") {
				row[i] = row[i][:day] // a day is better than no date
				continue
			}
			if step.column == "REFERENCE" {
				row[i] = clipStart(row[i], step.width) // references are counted at their ends
				continue
			}
			row[i] = clip(row[i], step.width)
		}
	}
	return header, rows
}

// without leaves a column out.
func without(header []string, rows [][]string, column int) (narrow []string, _ [][]string) {
	for i, row := range rows {
		rows[i] = slices.Delete(row, column, column+1)
	}
	return slices.Delete(header, column, column+1), rows
}

// width returns the width of a table, with two spaces between columns.
func width(header []string, rows [][]string) int {
	if len(rows) == 0 {
		return 0
	}
	total := 2 * (len(header) - 1)
	for column, name := range header {
		widest := text.StringWidthWithoutEscSequences(name)
		for _, row := range rows {
			widest = max(widest, text.StringWidthWithoutEscSequences(row[column]))
		}
		total += widest
	}
	return total
}
