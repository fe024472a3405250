//go:build sluicedebug

package arena

// debugging says that this is the debug build.
const debugging = true

// poison makes reading memory that nobody wrote noticeable.
func poison(mem []byte) {
	for i := range mem {
		mem[i] = 0xdb
	}
}
