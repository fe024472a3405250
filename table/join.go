package table

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

// A JoinKind says which rows a [Join] gives. Its text is how job files spell it.
type JoinKind string

// The kinds there are. Left and right are the inputs.
const (
	InnerJoin JoinKind = "inner" // pairs of rows that match; also what the zero value means
	LeftJoin  JoinKind = "left"  // these, and the other rows of the left, with nulls beside them
	RightJoin JoinKind = "right" // these, and the other rows of the right, with nulls beside them
	FullJoin  JoinKind = "full"  // these, and the other rows of both
	SemiJoin  JoinKind = "semi"  // the rows of the left that match any of the right, each once
	AntiJoin  JoinKind = "anti"  // the other rows of the left
)

var joinKinds = []string{"inner", "left", "right", "full", "semi", "anti"}

// A JoinKey is a column of each input that must be equal in rows that match.
type JoinKey struct{ Left, Right string }

// Join puts together the rows of two inputs that match: those that are equal in all keys, and of
// which the condition Where is true, if there is one. Each row of one input may match any number
// of the other.
//
// Keys are equal as in SQL: null equals nothing, not even null, so that rows with a null
// in a key match nothing and an [AntiJoin] gives them, as NOT EXISTS does (and NOT IN does not).
// NaN equals NaN, and -0 equals 0. Integers of all widths can be compared with each other,
// signed or not, and with decimals of any scale; floats of both widths; text with and without a
// dictionary; timestamps of one unit, if both or neither have a time zone. Other
// types must be the same. Cast a column before the join where they are not.
//
// # Columns
//
// The result of a [SemiJoin] or an [AntiJoin] has the columns of the left. Others have those of
// the left, and then those of the right. One of the right whose name is also one of the left
// gets Suffix behind it. With Using, keys of one name in both inputs are one column, where
// the left has it, with the value of whichever row there is. Text comes out of its dictionary.
//
// # Memory
//
// Both inputs are read at once, as they come, so that they may come from one fan-out. Rows that can match
// nothing, for a null in a key or for what Where says about them alone, are dropped or sent on. What else is
// read is kept, and can be spilled. When one input has ended and its rows, together with 32 to 44 bytes for
// each and 8 more for each key but the first, fit an eighth of the limit of host memory, a hash table of them is
// built, if they are the fewer bytes; then the rows of the other go past that, those kept and those still to come,
// on several workers. The limit has no room for the table while the node waits for it, and gives
// none back before the node ends.
//
// When neither input fits, both are split into partitions by the hash of their keys, which can be
// spilled, and these are joined one after the other, after having been split again if they are
// too large. Where that does not help, since many rows have one key, the smaller
// side of a partition is taken in blocks that fit, and the other side read once for each. So inputs of any size
// and any skew are joined in any memory that has room for a few chunks of each. A result of
// many rows is sent as it comes, in chunks of up to 65,536 rows and a sixteenth of the limit for all workers.
//
// Beside that, each worker takes up to 1.5 MiB on the Go heap that is not counted, and 32 KiB, for decimals 64, for
// each column of numbers that Where reads in what it says about both inputs at once.
type Join struct {
	Kind JoinKind
	On   []JoinKey // at least one

	// Where is an expression over the columns of both inputs, called as in the result of an
	// inner join, see [expr.Parse]. Rows match only if it is true, so that a [LeftJoin] gives a
	// row with nulls beside it if it is true for no row of the right.
	//
	// Of what it joins with and, that which names columns of one input only is looked at once for
	// each row of that input, when the row comes; a row of which it is not true matches nothing and costs
	// no more. The rest is looked at for each pair of rows with equal keys. If it has no value for
	// such a pair (an [*expr.RowError]), the network ends, unless what stands before is false, or what is said
	// about one of the rows alone is not true. A row that is in no such pair is never an error.
	Where string

	Using  bool   // keys of one name are one column of the result
	Suffix string // "" means "_right"

	// Workers is as in [Aggregate].
	Workers int
}

// Schema returns the columns of the result for those of the left and right input. An error says
// which input it is about; one about a column that is not there is a [*ColumnError], one about
// Where a [*expr.Error].
func (j Join) Schema(left, right *arrow.Schema) (*arrow.Schema, error) {
	plan, err := j.compile(left, right)
	if err != nil {
		return nil, err
	}
	return plan.schema, nil
}

// Node returns a node that joins what comes from left and right, and sends the result to out as it comes, in no
// particular order, in chunks numbered from 0; one without rows if there are none. It releases the messages
// that it reads, and their receipts, as it reads them. Inputs that have both ended without a single
// chunk give none; if only one has, there is no schema, and that is an error.
func (j Join) Node(
	name string, left, right, out *sluice.Channel,
) (string, func(context.Context) error, sluice.Port, sluice.Port) {
	run := func(ctx context.Context) error {
		r := newJoining(ctx, j, name, [2]*sluice.Channel{left, right}, out)
		defer r.release()
		return r.run(ctx)
	}
	return name, run, sluice.Reads(left, right).At(mem.Host), sluice.Writes(out)
}

// A side is one of the inputs of a join.
type side int

const (
	leftSide side = iota
	rightSide
)

func (s side) other() side { return 1 - s }

func (s side) String() string {
	if s == leftSide {
		return "left"
	}
	return "right"
}

// emits reports whether rows of a side that match nothing are part of the result with
// nulls beside them.
func (k JoinKind) emits(s side) bool {
	return k == FullJoin || k == LeftJoin && s == leftSide || k == RightJoin && s == rightSide
}

// halves reports whether the result has rows of the left alone.
func (k JoinKind) halves() bool { return k == SemiJoin || k == AntiJoin }

// barren reports whether nothing can come of rows on these sides only.
func (k JoinKind) barren(left, right bool) bool {
	switch k {
	case LeftJoin, AntiJoin:
		return !left
	case RightJoin:
		return !right
	case FullJoin:
		return !left && !right
	default:
		return !left || !right
	}
}

func (j Join) check() error {
	if len(j.On) == 0 {
		return fmt.Errorf("no columns to join on")
	}
	if err := checkWorkers(j.Workers); err != nil {
		return err
	}
	return nil
}
