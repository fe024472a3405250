package plan_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/plan"
)

// A source gives the columns it is told to, a relay needs one of them.
type source struct {
	Columns []string `job:"columns,required"`
	Fail    string   `job:"fail"`
}

func (s *source) Schema([]*arrow.Schema) ([]*arrow.Schema, error) {
	var fields []arrow.Field
	for _, c := range s.Columns {
		kind := arrow.PrimitiveTypes.Int64
		if c == "name" {
			kind = arrow.BinaryTypes.String
		}
		fields = append(fields, arrow.Field{Name: c, Type: kind})
	}
	return []*arrow.Schema{arrow.NewSchema(fields, nil)}, nil
}

func (s *source) Add(to *sluice.Network, at plan.Place) error {
	to.Node(at.Name, func(context.Context) error {
		if s.Fail != "" {
			return errors.New(s.Fail)
		}
		return nil
	}, sluice.Writes(at.Out...))
	return nil
}

type relay struct {
	Needs []plan.At[string] `job:"needs"`
}

func (r *relay) Schema(in []*arrow.Schema) ([]*arrow.Schema, error) {
	var errs []error
	for _, c := range r.Needs {
		if !in[0].HasField(c.Value) {
			errs = append(errs, c.Wrong(fmt.Errorf("no column %q", c.Value)))
		}
	}
	return in, errors.Join(errs...)
}

func (r *relay) Add(to *sluice.Network, at plan.Place) error {
	to.Node(at.Name, func(ctx context.Context) error {
		for m, err := range at.In[0].All(ctx) {
			if err != nil {
				return err
			}
			m.Release()
		}
		return nil
	}, sluice.Reads(at.In...), sluice.Writes(at.Out...))
	return nil
}

type sink struct{ relay }

func (s *sink) Schema(in []*arrow.Schema) ([]*arrow.Schema, error) {
	_, err := s.relay.Schema(in)
	return nil, err
}

type broken struct{ relay }

func (b *broken) Schema([]*arrow.Schema) ([]*arrow.Schema, error) { return nil, nil }

func (b *broken) Add(*sluice.Network, plan.Place) error { return errors.New("cannot be made") }

// homemade are kinds as a user of the package might add them.
func homemade() plan.Kinds {
	return append(plan.Builtin(),
		plan.Kind{Name: "source", Writes: plan.One, Settings: func() plan.Step { return &source{} }},
		plan.Kind{Name: "relay", Reads: plan.One, Writes: plan.One, Settings: func() plan.Step { return &relay{} }},
		plan.Kind{Name: "sink", Reads: plan.One, Settings: func() plan.Step { return &sink{} }},
		plan.Kind{Name: "broken", Reads: plan.One, Writes: plan.One, Settings: func() plan.Step { return &broken{} }},
	)
}

func parse(t *testing.T, src string) *plan.Job {
	t.Helper()
	job, err := homemade().Parse("job.yaml", []byte(src), nil)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

func TestCheckFollowsColumnsThroughTheNodes(t *testing.T) {
	tests := []struct{ about, job, want string }{
		{"columns that are there", `nodes:
  last: {kind: sink, in: b, needs: [x, y]}
  first: {kind: source, columns: [x, y], out: a}
  middle: {kind: relay, in: a, needs: y, out: b}
`, ""},
		{"several that are not, and what follows left out", `nodes:
  last: {kind: sink, in: b, needs: [z]}
  first: {kind: source, columns: [x, y], out: a}
  middle: {kind: relay, in: a, needs: [u, x, v], out: b}
  other: {kind: source, columns: x, out: c}
  end: {kind: sink, in: c, needs: w}
`, `
job.yaml:4:40: node "middle": no column "u"
job.yaml:4:46: node "middle": no column "v"
job.yaml:6:35: node "end": no column "w"`},
		{"two writers that disagree", `nodes:
  one: {kind: source, columns: [x, name], out: a}
  two: {kind: source, columns: [x, y], out: a}
  three: {kind: source, columns: [x], out: a}
  four: {kind: source, columns: [x, name, y], out: a}
  end: {kind: sink, in: a}
`, `
job.yaml:3:3: node "two": writes other columns to channel "a" than node "one" does: column 2 is "y" in the former and "name" in the latter
job.yaml:4:3: node "three": writes other columns to channel "a" than node "one" does: column "name" is only in the latter
job.yaml:5:3: node "four": writes other columns to channel "a" than node "one" does: column "y" is only in the former`},
		{"a kind with a mistake in it", `nodes:
  one: {kind: source, columns: x, out: a}
  two: {kind: broken, in: a, out: b}
  end: {kind: sink, in: b}
`, `
job.yaml:3:3: node "two": kind broken gives no schema for channel "b"; that is a mistake in the kind`},
	}
	for _, tt := range tests {
		t.Run(tt.about, func(t *testing.T) {
			got := ""
			if err := parse(t, tt.job).Check(); err != nil {
				got = "\n" + err.Error()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAJobBecomesANetworkOfItsNodesAndChannels(t *testing.T) {
	job := parse(t, `name: shared
nodes:
  first: {kind: source, columns: x, out: a}
  one: {kind: relay, in: a, out: b}
  two: {kind: relay, in: a, out: b}
  last: {kind: sink, in: b}
channels:
  a: {slots: 3, bytes: 1KiB, shared: true}
`)
	network, err := job.Network(plan.Env{})
	if err != nil {
		t.Fatal(err)
	}
	s := network.Snapshot()
	var got []string
	for _, n := range s.Nodes {
		got = append(got, fmt.Sprintln(n.Name, n.Reads, n.Writes))
	}
	for _, c := range s.Channels {
		got = append(got, fmt.Sprintln(c.Name, c.Slots))
	}
	want := []string{"first [] [a]\n", "one [a] [b]\n", "two [a] [b]\n", "last [b] []\n", "a 3\n", "b 1\n"}
	if s.Network != "shared" || !slices.Equal(got, want) {
		t.Errorf("got %q %q, want %q", s.Network, got, want)
	}
	if err := network.Run(t.Context()); err != nil {
		t.Errorf("it does not run: %v", err)
	}
}

func TestAJobIsNamedAfterItsFileUnlessItSaysOtherwise(t *testing.T) {
	job, err := plan.Parse("dir/late.flights.yaml", []byte(good[len("name: flights\n"):]), nil)
	if err != nil || job.Name() != "late.flights" {
		t.Errorf("got %q, %v", job.Name(), err)
	}
}

func TestAFailureNamesThePlaceOfItsNodeInTheJob(t *testing.T) {
	job := parse(t, `nodes:
  fine: {kind: source, columns: x, out: a}
  end: {kind: sink, in: a}
  bad: {kind: source, columns: x, out: b, fail: the disk is gone}
  bad_end: {kind: sink, in: b}
`)
	err := job.Run(t.Context(), plan.Env{})
	if err == nil || err.Error() != `job.yaml:4:3: node "bad": the disk is gone` {
		t.Errorf("got %v", err)
	}
	var failed *plan.RunError
	var inNode *sluice.NodeError
	var wrong *plan.JobError
	if !errors.As(err, &failed) || !errors.As(err, &inNode) || errors.As(err, &wrong) {
		t.Errorf("the types of %T do not say that the job failed while it ran", err)
	}
}

func TestANodeThatCannotBeMadeIsAnErrorOfTheJob(t *testing.T) {
	job := parse(t, `nodes:
  one: {kind: source, columns: x, out: a}
  two: {kind: broken, in: a, out: b}
  end: {kind: sink, in: b}
`)
	_, err := job.Network(plan.Env{})
	if len(plan.JobErrors(err)) != 1 || err.Error() != `job.yaml:3:3: node "two": cannot be made` {
		t.Errorf("got %v", err)
	}
}

func TestACancelledRunReturnsItsCause(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	cancel(enough)
	job := parse(t, "nodes:\n  one: {kind: source, columns: x, out: a}\n  end: {kind: sink, in: a}\n")
	if err := job.Run(ctx, plan.Env{}); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}

func TestAFileThatCannotBeReadIsAnErrorOfTheJob(t *testing.T) {
	_, err := plan.Load("no such job.yaml", nil)
	if len(plan.JobErrors(err)) != 1 || err.Error() != "no such job.yaml: cannot read the job: no such file" {
		t.Errorf("got %v", err)
	}
}

func TestBuiltinKindsDescribeThemselves(t *testing.T) {
	for _, kind := range plan.Builtin() {
		if kind.Name == "" || kind.Summary == "" {
			t.Errorf("kind %q: %q", kind.Name, kind.Summary)
		}
		for _, s := range kind.Describe() {
			if s.Name == "" || s.Doc == "" {
				t.Errorf("kind %q, setting %q: %q", kind.Name, s.Name, s.Doc)
			}
		}
	}
}
