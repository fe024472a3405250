package wait

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newNode() (*Node, *Clock) {
	var n Node
	var clock Clock
	n.Init("owner", &clock)
	return &n, &clock
}

func TestReasonsReadWellAfterWaitsTo(t *testing.T) {
	for reason, want := range map[Reason]string{
		ToSend: "send to", ToReceive: "receive from", ForTicket: "get a ticket for", ToDrain: "drain",
	} {
		if got := reason.String(); got != want {
			t.Errorf("%d reads %q, want %q", reason, got, want)
		}
	}
	for reason := range reasons {
		if reason.String() == "" {
			t.Errorf("reason %d has no words", reason)
		}
	}
}

func TestAWaitIsSeenWhileItLastsAndCountedAfterwards(t *testing.T) {
	n, clock := newNode()
	clock.Set(time.Second)
	var r Record
	n.Begin(&r, Wait{On: "rows", Reason: ToReceive})
	want := []Wait{{On: "rows", Reason: ToReceive, Since: time.Second}}
	if got := n.Waits(); !reflect.DeepEqual(got, want) {
		t.Errorf("Waits = %v, want %v", got, want)
	}
	if got := n.Spent(ToReceive); got != 0 {
		t.Errorf("%v were counted before the wait was over", got)
	}
	clock.Set(3 * time.Second)
	n.End(&r)
	if got := n.Waits(); len(got) > 0 {
		t.Errorf("Waits = %v after the end", got)
	}
	if got := [...]time.Duration{n.Spent(ToReceive), n.Spent(ToSend), n.Spent(ForTicket), n.Spent(ToDrain)}; got != [...]time.Duration{2 * time.Second, 0, 0, 0} {
		t.Errorf("spent %v, want 2s in receiving", got)
	}
}

func TestWaitsEndInAnyOrder(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}} {
		n, clock := newNode()
		var records [3]Record
		for i := range records {
			n.Begin(&records[i], Wait{On: i})
		}
		for k, i := range order {
			clock.Set(time.Duration(k+1) * time.Second)
			n.End(&records[i])
			for _, w := range n.Waits() {
				if w.On == i {
					t.Errorf("order %v: wait %d is still there", order, i)
				}
			}
			if left := len(n.Waits()); left != 2-k {
				t.Errorf("order %v: %d waits are left after %d ended", order, left, k+1)
			}
		}
		if got := n.Spent(ToSend); got != 6*time.Second {
			t.Errorf("order %v: spent %v, want 1+2+3 s", order, got)
		}
	}
}

func TestARecordMayBeUsedAgain(t *testing.T) {
	n, clock := newNode()
	var r Record
	for i := range 3 {
		n.Begin(&r, Wait{On: i, Reason: ToDrain})
		clock.Set(clock.Now() + time.Second)
		n.End(&r)
	}
	if got := n.Spent(ToDrain); got != 3*time.Second {
		t.Errorf("spent %v, want 3s", got)
	}
}

func TestAWaitForOneOfSeveralCountsOnce(t *testing.T) {
	n, clock := newNode()
	var first, second Record
	n.Begin(&first, Wait{On: "a", Group: "any"})
	n.Begin(&second, Wait{On: "b", Group: "any"})
	clock.Set(time.Second)
	n.End(&first)
	n.End(&second)
	n.Add(ToSend, 0)
	if got := n.Spent(ToSend); got != time.Second {
		t.Errorf("spent %v, want 1s", got)
	}
}

func TestNothingIsRecordedWithoutANode(t *testing.T) {
	var n *Node
	var r Record
	n.Begin(&r, Wait{On: "a"})
	n.End(&r)
	if n.Now() != 0 {
		t.Errorf("Now = %v", n.Now())
	}
	if got := FromContext(context.Background()); got != nil {
		t.Errorf("FromContext = %v outside a network", got)
	}
}

func TestAContextCarriesItsNode(t *testing.T) {
	type key struct{}
	parent, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, "value"))
	n, _ := newNode()
	ctx := NewContext(parent, n)
	derived, cancelDerived := context.WithTimeout(context.WithValue(ctx, key{}, "other"), time.Hour)
	defer cancelDerived()
	for name, ctx := range map[string]context.Context{"itself": ctx, "a derived one": derived} {
		if got := FromContext(ctx); got != n {
			t.Errorf("%s: FromContext = %v", name, got)
		}
	}
	if ctx.Done() != parent.Done() {
		t.Error("the Done channel is not that of the parent")
	}
	if got := ctx.Value(key{}); got != "value" {
		t.Errorf("Value = %v, want that of the parent", got)
	}
	cancel()
	if ctx.Err() != context.Canceled || derived.Err() != context.Canceled {
		t.Errorf("Err = %v and %v after the parent was cancelled", ctx.Err(), derived.Err())
	}
}

func TestTheInnermostNodeCounts(t *testing.T) {
	outer, _ := newNode()
	inner, _ := newNode()
	if got := FromContext(NewContext(NewContext(context.Background(), outer), inner)); got != inner {
		t.Errorf("FromContext = %v, want the inner node", got)
	}
}

func TestANodeIsSafeForSeveralGoroutines(t *testing.T) {
	n, clock := newNode()
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			var r Record
			for i := range 500 {
				n.Begin(&r, Wait{On: fmt.Sprint(g), Reason: Reason(i) % reasons})
				clock.Set(n.Now() + 1)
				_ = n.Waits()
				n.End(&r)
			}
		})
	}
	all.Wait()
	if got := n.Waits(); len(got) > 0 {
		t.Errorf("Waits = %v after all ended", got)
	}
}
