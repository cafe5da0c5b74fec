package metrics

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// ticks is how many clock ticks of /proc make a second: a constant of Linux' interface.
const ticks = 100

// process are the figures of the process, where the system has /proc. What cannot be read is left out.
func process() []family {
	var families []family
	add := func(name, help string, kind kind, value float64, ok bool) {
		if ok {
			families = append(families, family{name: "process_" + name, help: help, kind: kind, samples: []sample{{value: value}}})
		}
	}
	stat := procStat()
	utime, ok := stat(14)
	stime, _ := stat(15)
	add("cpu_seconds_total", "Processor time, of user and system.", counter, (utime+stime)/ticks, ok)
	started, ok := stat(22)
	boot, known := bootTime()
	add("start_time_seconds", "When the process started, in seconds since 1970.", gauge, started/ticks+boot, ok && known)
	virtual, ok := stat(23)
	add("virtual_memory_bytes", "Virtual memory.", gauge, virtual, ok)
	pages, ok := stat(24)
	add("resident_memory_bytes", "Resident memory.", gauge, pages*float64(os.Getpagesize()), ok)
	fds, err := os.ReadDir("/proc/self/fd")
	add("open_fds", "Open file descriptors.", gauge, float64(len(fds)), err == nil)
	limit, ok := limitOf("Max open files")
	add("max_fds", "How many file descriptors may be open.", gauge, limit, ok)
	limit, ok = limitOf("Max address space")
	add("virtual_memory_max_bytes", "How much virtual memory there may be.", gauge, limit, ok)
	in, out, ok := octets()
	add("network_receive_bytes_total", "Bytes that the network name space of the process received.", counter, in, ok)
	add("network_transmit_bytes_total", "Bytes that the network name space of the process sent.", counter, out, ok)
	return families
}

// procStat reads the fields of /proc/self/stat by their numbers in proc(5). The second, the name of the program, may
// contain anything.
func procStat() func(n int) (float64, bool) {
	data, _ := os.ReadFile("/proc/self/stat") // not there: no field is
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	return func(n int) (float64, bool) {
		if n-3 >= len(fields) {
			return 0, false
		}
		return parse(fields[n-3])
	}
}

// bootTime is when the machine started, in seconds since 1970.
func bootTime() (float64, bool) {
	for line := range procLines("/proc/stat") {
		if rest, ok := strings.CutPrefix(line, "btime "); ok {
			return parse(strings.TrimSpace(rest))
		}
	}
	return 0, false
}

// limitOf is the soft limit of a resource. An unlimited one is as large as a number gets there.
func limitOf(resource string) (float64, bool) {
	for line := range procLines("/proc/self/limits") {
		rest, ok := strings.CutPrefix(line, resource)
		fields := strings.Fields(rest)
		switch {
		case !ok || len(fields) == 0:
		case fields[0] == "unlimited":
			return 1<<64 - 1, true
		default:
			return parse(fields[0])
		}
	}
	return 0, false
}

// octets are the bytes of the network name space: a line of names, then one of numbers.
func octets() (in, out float64, ok bool) {
	var names []string
	for line := range procLines("/proc/self/net/netstat") {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || fields[0] != "IpExt:":
		case names == nil:
			names = fields
		default:
			for i := range min(len(names), len(fields)) {
				switch names[i] {
				case "InOctets":
					in, ok = parse(fields[i])
				case "OutOctets":
					out, _ = parse(fields[i])
				}
			}
		}
	}
	return in, out, ok
}

func procLines(path string) func(yield func(string) bool) {
	data, _ := os.ReadFile(path) //nolint:gosec // a constant of the callers; not there: no lines
	return strings.Lines(string(data))
}

func parse(text string) (float64, bool) {
	v, err := strconv.ParseFloat(text, 64)
	return v, err == nil
}
