//go:build race

package pages

// racing says that the race detector makes everything ten times slower. What reads
// thousands of damaged files one after the other then reads fewer.
const racing = true
