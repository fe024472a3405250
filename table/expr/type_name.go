package expr

import "github.com/apache/arrow-go/v18/arrow"

// ParseType reads the name of a type as casts have it: int64, text, decimal(12, 2),
// timestamp[us, UTC].
func ParseType(text string) (arrow.DataType, error) { return parseType(text) }
