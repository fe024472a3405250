package plan

import (
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice/table"
	"github.com/seed14ed4225/sluice/table/expr"
)

// settingOfField has for fields of [table.Scan] and [table.Write] the settings that they come from.
var settingOfField = map[string]string{
	"Format": "format", "Codec": "compression", "RowGroupRows": "row_group_rows", "RowGroupBytes": "row_group_bytes", "Workers": "workers",
	"CSV.Delimiter": "delimiter", "CSV.NoHeader": "header", "CSV.Names": "names", "CSV.Types": "types",
	"CSV.Null": "null_text", "CSV.OnError": "on_error", "CSV.QuoteAll": "quote_all",
}

// settingAt is where the setting is that an error is about, or else another place.
func (n *node) settingAt(err error, or Position) Position {
	var field *table.SettingError
	if errors.As(err, &field) {
		if at, ok := n.places[settingOfField[field.Field]]; ok {
			return at
		}
	}
	return or
}

// fileFormat is the table.Format of a file as a setting.
type fileFormat table.Format

// UnmarshalText reads the name of a format.
func (f *fileFormat) UnmarshalText(text []byte) error {
	return oneOf(f, text, "format", string(table.FormatParquet), string(table.FormatCSV))
}

// codec is a table.Codec as a setting.
type codec table.Codec

// UnmarshalText reads the name of a codec.
func (c *codec) UnmarshalText(text []byte) error {
	return oneOf(c, text, "compression",
		string(table.CodecNone), string(table.CodecSnappy), string(table.CodecGzip), string(table.CodecZstd))
}

// onError is a table.OnError as a setting.
type onError table.OnError

// UnmarshalText reads what to do.
func (o *onError) UnmarshalText(text []byte) error {
	return oneOf(o, text, "way", string(table.OnErrorFail), string(table.OnErrorSkip), string(table.OnErrorNull))
}

// oneOf reads one of a few words.
func oneOf[T ~string](into *T, text []byte, what string, known ...string) error {
	if !slices.Contains(known, string(text)) {
		return fmt.Errorf("unknown %s %q%s", what, shorten(string(text)), instead(string(text), known))
	}
	*into = T(text)
	return nil
}

// columnType is the type of a column as a setting.
type columnType struct{ arrow.DataType }

// UnmarshalText reads the name of a type.
func (t *columnType) UnmarshalText(text []byte) (err error) {
	t.DataType, err = expr.ParseType(string(text))
	return err
}
