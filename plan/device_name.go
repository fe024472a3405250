package plan

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/seed14ed4225/sluice/internal/suggest"
)

// A DeviceName names a device as a job does: host, or cuda:0, cuda:1 and so on for the
// CUDA devices in the order of the driver. Empty, it says nothing.
type DeviceName string

// HostDevice is the device that every machine has.
const HostDevice DeviceName = "host"

const cudaPrefix = "cuda:"

// ParseDevice reads the name of a device; cuda alone is cuda:0. Whether there is
// such a device it does not look.
func ParseDevice(text string) (DeviceName, error) {
	switch text {
	case string(HostDevice):
		return HostDevice, nil
	case "cuda":
		return cudaPrefix + "0", nil
	}
	number, isCUDA := strings.CutPrefix(text, cudaPrefix)
	if !isCUDA {
		if near, ok := suggest.Nearest(shorten(text), []string{string(HostDevice), "cuda", cudaPrefix + "0"}); ok {
			return "", fmt.Errorf("unknown device %q; did you mean %q?", shorten(text), near)
		}
		return "", fmt.Errorf("unknown device %q; write host, or cuda:0 for the first CUDA device", shorten(text))
	}
	if n, err := strconv.ParseInt(number, 10, 32); err != nil || n < 0 || strconv.FormatInt(n, 10) != number {
		return "", fmt.Errorf("%q is no device: CUDA devices are numbered from 0 on, as in cuda:0", shorten(text))
	}
	return DeviceName(text), nil
}

// UnmarshalText is ParseDevice.
func (n *DeviceName) UnmarshalText(text []byte) (err error) {
	*n, err = ParseDevice(string(text))
	return err
}

// ordinal is the number of a CUDA device. The name is one that ParseDevice returned.
func (n DeviceName) ordinal() int {
	number, err := strconv.Atoi(strings.TrimPrefix(string(n), cudaPrefix))
	if err != nil {
		panic(fmt.Sprintf("%q is the name of no CUDA device", string(n)))
	}
	return number
}

// device reads the section device. Whether there is such a device shows when a run
// begins: a flag may override it.
func (p *parsing) device(section *entry) {
	if section == nil || !section.value.given() {
		return
	}
	d := &decoder{report: func(at Position, err error) { p.report.add(at, "", err) }}
	p.job.device.decode(d, section.value, "device")
}
