package table

import (
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice/table/internal/csv"
)

// openCSVFiles finds the columns that all files have, with types from the settings or the first
// of the files.
func (s Scan) openCSVFiles(paths []string) (*arrow.Schema, error) {
	var all []string // the names in the first file
	var schema *arrow.Schema
	for i, path := range paths {
		err := s.eachCSV(path, func(source *csvSource, head csv.Head) (err error) {
			if i == 0 {
				all = head.Names
				schema, err = s.csvSchema(source.path, head)
				return err
			}
			return sameNames(source.path, head.Names, paths[0], all)
		})
		if err != nil {
			return nil, err
		}
	}
	return schema, nil
}

// eachCSV opens a file for as long as do looks at its head.
func (s Scan) eachCSV(path string, do func(*csvSource, csv.Head) error) error {
	source, err := openCSV(path, s.stdin())
	if err != nil {
		return err
	}
	head, err := s.csvHead(source)
	if err == nil {
		err = do(source, head)
	}
	return errors.Join(err, source.close())
}

func (s Scan) csvHead(source *csvSource) (csv.Head, error) {
	sample, all, err := source.sample()
	if err != nil {
		return csv.Head{}, err
	}
	head, err := csv.ReadHead(sample, all, s.CSV.dialect(source.path), s.CSV.Names)
	var row *csv.Error
	switch {
	case err == nil:
		return head, nil
	case errors.As(err, &row):
		return head, rowError(source.path, row)
	default:
		return head, fmt.Errorf("%s: %w", source.path, err)
	}
}

func sameNames(path string, have []string, first string, want []string) error {
	if missing := without(want, have); len(missing) > 0 {
		return fmt.Errorf("%s has no column %q, but %s has", path, missing[0], first)
	}
	if extra := without(have, want); len(extra) > 0 {
		return fmt.Errorf("%s has a column %q, but %s has not", path, extra[0], first)
	}
	return nil
}

// csvSchema is the wanted columns of a file, and the types that they are read as.
func (s Scan) csvSchema(path string, head csv.Head) (*arrow.Schema, error) {
	for name := range s.CSV.Types {
		if !slices.Contains(head.Names, name) {
			return nil, fmt.Errorf("%s: %w", path, &ColumnError{Column: name, Have: head.Names})
		}
	}
	// A row that is not well formed is an error now only if it would be one later, and is counted then.
	trouble := csvFileTrouble{&csvTrouble{onError: s.CSV.OnError}, path, 0, s.CSV.Types}
	types, err := head.Types(s.CSV.dialect(path), trouble.Row)
	if err != nil {
		// A value before that row may be wrong, too, and is to be named then.
		if first := head.Check(s.CSV.dialect(path), s.CSV.Types, trouble); first != nil {
			err = first
		}
		return nil, rowError(path, err)
	}
	wanted := s.Columns
	if len(wanted) == 0 {
		wanted = head.Names
	}
	places, err := places(path, head.Names, wanted)
	if err != nil {
		return nil, err
	}
	fields := make([]arrow.Field, len(wanted))
	for i, at := range places {
		typ, ok := s.CSV.Types[wanted[i]]
		if !ok {
			typ = types[at]
		}
		fields[i] = arrow.Field{Name: wanted[i], Type: typ, Nullable: true}
	}
	return arrow.NewSchema(fields, nil), nil
}

// places finds columns by name.
func places(path string, have, wanted []string) ([]int, error) {
	found := make([]int, len(wanted))
	for i, name := range wanted {
		if slices.Contains(wanted[:i], name) {
			return nil, fmt.Errorf("column %q is asked for twice", name)
		}
		if found[i] = slices.Index(have, name); found[i] < 0 {
			return nil, fmt.Errorf("%s: %w", path, &ColumnError{Column: name, Have: have})
		}
	}
	return found, nil
}
