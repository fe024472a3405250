package sluice

// DebugBuild says that the checks of the debug build are on, which allocate.
const DebugBuild = debugBuild

// HoldUp makes the interruption of the network wait, after the contexts have ended and
// before the channels are aborted: entered is closed then, and it goes on when letGo is.
func HoldUp(n *Network) (entered <-chan struct{}, letGo chan<- struct{}) {
	in, out := make(chan struct{}), make(chan struct{})
	n.held = func() {
		close(in)
		<-out
	}
	return in, out
}

// InHand returns how many tickets are out with which nothing was sent.
func InHand(t *Throttle) int { return len(t.hands.holders()) }
