package table

// Reserves returns how many bytes of host memory the node has reserved for as long as it writes, within a limit of so
// many, before it has a second worker. Beside that are the chunks that wait to be written. It is 0 if the settings make
// no sense.
func (w Write) Reserves(limit int64) int64 {
	p, err := w.settled()
	switch {
	case err != nil:
		return 0
	case p.Format == FormatParquet:
		return limit/8 + encodingBytes(pageBytes(limit), p.Codec)
	default:
		return codecBytes(p.Codec)
	}
}
