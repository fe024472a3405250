package sluice_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seed14ed4225/sluice"
)

func TestRunRefusesANetworkThatCannotWork(t *testing.T) {
	type network = *sluice.Network
	node := func(n network, name string, ports ...sluice.Port) { n.Node(name, returns(nil), ports...) }
	cases := []struct {
		name  string
		build func(n network)
		want  []string // one problem each
	}{
		{"channel without writer", func(n network) {
			node(n, "r", sluice.Reads(n.Channel("dry")))
		}, []string{`channel "dry" has no writer`}},
		{"channel without reader", func(n network) {
			node(n, "w", sluice.Writes(n.Channel("lost")))
		}, []string{`channel "lost" has no reader`}},
		{"channel of nobody", func(n network) {
			n.Channel("idle")
		}, []string{`channel "idle" has no writer`, `channel "idle" has no reader`}},
		{"two nodes of one name", func(n network) {
			node(n, "twin")
			node(n, "twin")
		}, []string{`two nodes are called "twin"`}},
		{"two channels of one name", func(n network) {
			a, b := n.Channel("twin"), n.Channel("twin")
			node(n, "w", sluice.Writes(a, b))
			node(n, "r", sluice.Reads(a, b))
		}, []string{`two channels are called "twin"`}},
		{"node without name", func(n network) {
			node(n, "first")
			node(n, "")
		}, []string{"node 3 has no name"}},
		{"channel without name", func(n network) {
			c := n.Channel("")
			node(n, "w", sluice.Writes(c))
			node(n, "r", sluice.Reads(c))
		}, []string{"channel 1 has no name"}},
		{"port of another network", func(n network) {
			other := sluice.NewNetwork("neighbour").Channel("theirs")
			node(n, "w", sluice.Writes(other))
			node(n, "r", sluice.Reads(other))
		}, []string{
			`node "w" writes channel "theirs" of network "neighbour"`,
			`node "r" reads channel "theirs" of network "neighbour"`,
		}},
		{"port of no network", func(n network) {
			node(n, "w", sluice.Writes(sluice.NewChannel("alone")))
		}, []string{`node "w" writes channel "alone", which belongs to no network`}},
		{"nil channel", func(n network) {
			node(n, "r", sluice.Reads(nil))
			node(n, "w", sluice.Writes(nil))
		}, []string{`node "r" has a nil channel`, `node "w" has a nil channel`}},
		{"nil node", func(n network) {
			n.Node("hollow", nil)
		}, []string{`node "hollow" has no function`}},
		{"port given twice", func(n network) {
			c := n.Channel("c")
			node(n, "w", sluice.Writes(c), sluice.Writes(c))
			node(n, "r", sluice.Reads(c, c))
		}, []string{`node "w" writes channel "c" twice`, `node "r" reads channel "c" twice`}},
		{"no slots", func(n network) {
			c := n.Channel("c", sluice.Slots(0))
			node(n, "w", sluice.Writes(c))
			node(n, "r", sluice.Reads(c))
		}, []string{`channel "c": 0 slots`}},
		{"no bytes", func(n network) {
			c := n.Channel("c", sluice.Bytes(-1))
			node(n, "w", sluice.Writes(c))
			node(n, "r", sluice.Reads(c))
		}, []string{`channel "c": a bound of -1 bytes`}},
		{"everything at once", func(n network) {
			node(n, "a", sluice.Reads(n.Channel("dry")), sluice.Writes(n.Channel("lost", sluice.Slots(-3), sluice.Bytes(0))))
			node(n, "a", sluice.Reads(sluice.NewNetwork("neighbour").Channel("theirs")))
			n.Node("hollow", nil)
		}, []string{
			`channel "dry" has no writer`, `channel "lost" has no reader`, `channel "lost": -3 slots`,
			"a bound of 0 bytes", `two nodes are called "a"`,
			`node "a" reads channel "theirs" of network "neighbour"`, `node "hollow" has no function`,
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n := sluice.NewNetwork("wrong")
			var started atomic.Bool
			n.Node("canary", func(context.Context) error { started.Store(true); return nil })
			c.build(n)
			shape := n.Snapshot() // works for a network that cannot run, too
			err := n.Run(context.Background())
			if err == nil {
				t.Fatal("Run = nil")
			}
			for _, want := range c.want {
				wantContains(t, err.Error(), want)
			}
			for _, line := range strings.Split(err.Error(), "\n") {
				wantContains(t, line, `network "wrong"`)
			}
			if len(c.want) < 7 && strings.Count(err.Error(), "\n")+1 > len(c.want)+2 { // + the two ends of a channel left over
				t.Errorf("more problems than there are:\n%v", err)
			}
			if started.Load() {
				t.Error("a node was started")
			}
			if len(shape.Nodes) == 0 {
				t.Error("the snapshot shows no nodes")
			}
		})
	}
}

func TestANetworkRunsOnce(t *testing.T) {
	n := sluice.NewNetwork("single")
	runs := 0
	n.Node("a", func(context.Context) error { runs++; return nil })
	if err := n.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	err := n.Run(context.Background())
	if err == nil || runs != 1 {
		t.Fatalf("the second Run = %v, and the node ran %d times", err, runs)
	}
	wantContains(t, err.Error(), `"single"`, "once")
}

func TestARefusedNetworkMayBeMendedAndRun(t *testing.T) {
	n := sluice.NewNetwork("n")
	c := n.Channel("c")
	n.Node("w", returns(nil), sluice.Writes(c))
	if err := n.Run(context.Background()); err == nil {
		t.Fatal("Run accepted a channel without a reader")
	}
	n.Node("r", counts(c, nil), sluice.Reads(c))
	if err := n.Run(context.Background()); err != nil {
		t.Errorf("Run = %v after the reader was added", err)
	}
}

func TestChangingANetworkThatWasRunPanics(t *testing.T) {
	changes := map[string]func(*sluice.Network){
		"Node":    func(n *sluice.Network) { n.Node("late", returns(nil)) },
		"Channel": func(n *sluice.Network) { n.Channel("late") },
	}
	for name, change := range changes {
		for _, when := range []string{"while it runs", "afterwards"} {
			t.Run(name+" "+when, func(t *testing.T) {
				n := sluice.NewNetwork("set")
				try := func() {
					defer func() {
						if text, _ := recover().(string); !strings.Contains(text, `"set"`) {
							t.Errorf("panicked with %q, want the name of the network in it", text)
						}
					}()
					change(n)
				}
				n.Node("a", func(context.Context) error {
					if when == "while it runs" {
						try()
					}
					return nil
				})
				if err := n.Run(context.Background()); err != nil {
					t.Error(err)
				}
				if when == "afterwards" {
					try()
				}
			})
		}
	}
}

func TestSeveralNodesMayShareAChannelAndOneMayWriteToItself(t *testing.T) {
	l := newLedger(t)
	n := sluice.NewNetwork("loop")
	loop := n.Channel("loop", sluice.Slots(2))
	n.Node("a", func(ctx context.Context) error {
		for i := range 10 {
			if err := send(ctx, loop, l.message(i)); err != nil {
				return err
			}
			m, err := loop.Recv(ctx)
			if err != nil {
				return err
			}
			m.Release()
		}
		return nil
	}, sluice.Reads(loop), sluice.Writes(loop))
	if err := n.Run(context.Background()); err != nil {
		t.Errorf("Run = %v", err)
	}
}
