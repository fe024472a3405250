//go:build sluicedebug

package table

// debugBuild says that the tests run in a build that remembers where each buffer was allocated, and
// unmaps what is freed.
const debugBuild = true
