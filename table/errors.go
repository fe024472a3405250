package table

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice/internal/suggest"
)

// A ColumnError says that a column is named that is not there. Its message
// suggests the nearest name, or lists what there is.
type ColumnError struct {
	Column string   // as it was written
	Have   []string // the columns there are
}

func (e *ColumnError) Error() string {
	return fmt.Sprintf("unknown column %q%s", e.Column, suggest.Phrase(e.Column, e.Have))
}

// A SettingError says that a field of a [Scan] or a [Write] makes no sense, by itself or beside
// the others. Its message is that of Err.
type SettingError struct {
	Field string // as Go calls it: "Codec", or "CSV.Null"
	Err   error
}

func (e *SettingError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong with the field.
func (e *SettingError) Unwrap() error { return e.Err }

// wrongField has an error name the field that it is about; nil stays nil.
func wrongField(name string, err error) error {
	if err == nil {
		return nil
	}
	return &SettingError{Field: name, Err: err}
}

// columnIndex finds a column by its name; the error is a *ColumnError.
func columnIndex(schema *arrow.Schema, name string) (int, error) {
	found := schema.FieldIndices(name)
	switch len(found) {
	case 0:
		return 0, &ColumnError{Column: name, Have: columnNames(schema)}
	case 1:
		return found[0], nil
	default:
		return 0, fmt.Errorf("%d columns are called %q", len(found), name)
	}
}

func columnNames(schema *arrow.Schema) []string {
	names := make([]string, schema.NumFields())
	for i, f := range schema.Fields() {
		names[i] = f.Name
	}
	return names
}
