// Package machine knows how much memory there is.
package machine

// unknown is what to take for granted where the machine does not tell.
const unknown = 4 << 30

// Memory returns how many bytes of memory the process may use at most: what the machine
// has, or less where a control group limits it, as those of containers do. Where that
// cannot be found out it is a guess.
func Memory() int64 { return memory() }
