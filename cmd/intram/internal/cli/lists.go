package cli

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	intram "github.com/intram/intram-go"
)

// sayMore says how to read on after a page.
func (a *app) sayMore(next time.Time) {
	if !next.IsZero() {
		a.note("There are more: add --before %s, or --all.", next.UTC().Format("2006-01-02T15:04:05.000Z"))
	}
}

// readList reads all of a list, or a page of it and where the next one begins.
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

// unreadable are the items of a list that cannot be read. They are missing from what is printed.
type unreadable []*intram.ItemError

// err says that the list that was printed is not whole.
func (u unreadable) err() error {
	if len(u) == 0 {
		return nil
	}
	return &exitError{exitNoAnswer, fmt.Errorf("the list is not whole: %d of its items cannot be read, the first: %w", len(u), u[0])}
}

// words are the constants of a type of words.
func words[W ~string](list ...W) []string {
	plain := make([]string, len(list))
	for i, w := range list {
		plain[i] = string(w)
	}
	return plain
}

// join is a list of words for the help.
func join(words []string) string { return strings.Join(words, ", ") }

// fit empties columns, in the order given, until the rows are no wider than a screen.
func fit(rows [][]string, dispensable ...int) [][]string {
	for _, column := range dispensable {
		if width(rows) <= columns {
			break
		}
		for _, row := range rows {
			if column == len(row)-1 && len(row[column]) > 10 && strings.HasSuffix(row[column], "Z") {
				row[column] = row[column][:10] // a day is better than no date
				continue
			}
			row[column] = clip(row[column], 8)
		}
	}
	return rows
}

// width is how wide a table of these rows is, with two spaces between columns.
func width(rows [][]string) int {
	if len(rows) == 0 {
		return 0
	}
	total := 2 * (len(rows[0]) - 1)
	for column := range rows[0] {
		widest := 0
		for _, row := range rows {
			widest = max(widest, utf8.RuneCountInString(row[column]))
		}
		total += widest
	}
	return total
}
