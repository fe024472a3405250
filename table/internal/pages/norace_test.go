//go:build !race

package pages

const racing = false
