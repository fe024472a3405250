package plan

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/table"
)

// A Kind is one sort of node that a job may have: what it is called, how many
// channels it reads and writes, and which settings it takes.
type Kind struct {
	Name    string
	Summary string // one line, for whoever writes a job
	Reads   Ports
	Writes  Ports
	// Prints says that its nodes write to [Env.Stdout]. A job has at most one
	// such node, because the output of two would be mixed.
	Prints bool
	// Memory are the kinds of memory that its nodes work in, the preferred one first:
	// where their rows, or their state, have to be. nil means [mem.Host].
	Memory []mem.Kind
	// Settings returns new settings: a pointer to a struct that holds the
	// defaults. Its fields are filled from the job by their tags; [At] shows one.
	Settings func() Step
}

// A Step is what one node of a job does: its settings, filled in.
type Step interface {
	// Schema checks the settings against the schemas of the channels the node
	// reads, and returns those of the channels it writes: one for each, or, of a
	// kind that writes as many as a job likes, one for all. Sources open their
	// files here, and read no more of them than they must. It may join several
	// errors; [At.Wrong] gives each its place.
	Schema(in []*arrow.Schema) (out []*arrow.Schema, err error)
	// Add adds the node to a network. It does not depend on Schema having been
	// called, and reads nothing.
	Add(to *sluice.Network, at Place) error
}

// A Place is where in a network a step's node goes.
type Place struct {
	Name string            // of the node
	In   []*sluice.Channel // what the job gives as in
	Out  []*sluice.Channel // what the job gives as out
	// Unordered is set when several nodes write to a channel that this node, or
	// one before it, reads: then sequence numbers come in any order, and a node
	// that passes them on writes to a [sluice.Port.Unordered].
	Unordered bool
	// Workers is how many workers nodes have whose settings do not say, which is what Env and the job
	// say; 0 means one for each processor.
	Workers int
	Env     Env

	condition string // that a filter puts on all rows that the node writes; "" if none does
}

// Env is what a job is run with. The zero value prints to standard output in
// the format that the job asks for.
type Env struct {
	// Stdout takes printed rows; nil means os.Stdout. A write that fails with
	// EPIPE or io.ErrClosedPipe means that nobody reads on: the node that
	// printed has then ended well, and what feeds it stops.
	Stdout io.Writer
	// Format overrides the format of printing nodes unless it is empty.
	Format table.Format
	// Memory is what the network runs in, and its device what it runs on; [Job.Memory]
	// makes what the job asks for, and whoever made it closes it. In nil memory there are
	// no limits.
	Memory *mem.Resource
	// CUDA are the CUDA devices that [Job.Run] opens one of if the job says so and Memory is
	// nil. nil stands for [Installed].
	CUDA CUDA
	// Logger takes warnings and stall reports; nil means [slog.Default].
	Logger *slog.Logger
	// Workers is how many workers nodes have whose settings do not say, instead of what the job says,
	// unless it is 0.
	Workers int
	// RowGroups, if not nil, gets a count of row groups for each node that scans Parquet, by its name. A
	// scan leaves out those in which no row meets the condition of the filter that follows it, if nothing
	// else reads what it writes.
	RowGroups map[string]*table.ScanCount
	// Options are passed on to the network.
	Options []sluice.NetworkOption
}

func (e Env) stdout() io.Writer {
	if e.Stdout == nil {
		return os.Stdout
	}
	return e.Stdout
}

// Ports says how many channels a kind reads or writes.
type Ports struct {
	Least, Most int
}

// The usual numbers of ports.
var (
	None = Ports{0, 0}
	One  = Ports{1, 1}
)

// Kinds are the kinds that a job may use. To add some of your own:
//
//	kinds := append(plan.Builtin(), plan.Kind{Name: "sample", ...})
//	job, err := kinds.Load("job.yaml", nil)
type Kinds []Kind

// Builtin returns the kinds that the sluice command knows.
func Builtin() Kinds {
	return Kinds{scanKind, filterKind, projectKind, aggregateKind, distinctKind, joinKind, unionKind, broadcastKind, sortKind, limitKind, writeKind, printKind}
}

// named returns the kind of a name, nil if there is none.
func (ks Kinds) named(name string) *Kind {
	if i := slices.IndexFunc(ks, func(k Kind) bool { return k.Name == name }); i >= 0 {
		return &ks[i]
	}
	return nil
}

func (ks Kinds) names() []string {
	names := make([]string, len(ks))
	for i, k := range ks {
		names[i] = k.Name
	}
	return names
}

// WorksIn returns the kinds of memory that nodes of the kind work in, the preferred one
// first.
func (k Kind) WorksIn() []mem.Kind {
	if k.Memory == nil {
		return []mem.Kind{mem.Host}
	}
	return k.Memory
}

// A Setting describes one setting of a kind.
type Setting struct {
	Name     string
	Doc      string
	Required bool
	Default  string // as one would write it; "" when there is none
}

// Describe lists the settings of a kind, without in and out.
func (k Kind) Describe() []Setting {
	var described []Setting
	for _, f := range fieldsOf(k.Settings()) {
		s := Setting{Name: f.name, Doc: f.doc, Required: f.required}
		if !f.into.IsZero() {
			s.Default = fmt.Sprint(f.into.Interface())
		}
		described = append(described, s)
	}
	return described
}
