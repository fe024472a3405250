package mem

// Relieving reports whether the spiller is there.
func (r *Resource) Relieving() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.relieving
}
