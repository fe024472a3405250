//go:build !sluicedebug

package mem

// A trace remembers where a buffer was allocated and released; in debug builds only.
type trace struct{}

func (*trace) allocated()    {}
func (*trace) released()     {}
func (*trace) story() string { return "" }

// allocations remembers where what is live on an account was allocated; in debug builds only.
type allocations struct{}

func (*allocations) add(*body)      {}
func (*allocations) remove(*body)   {}
func (*allocations) String() string { return "" }
