//go:build !sluicedebug

package sluice

import "context"

// checkOrder checks sequence numbers in the debug build, and costs nothing in this
// one.
func (c *Channel) checkOrder(context.Context, *Message) error { return nil }
