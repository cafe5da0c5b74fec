package doctor

import (
	"io/fs"
	"strings"
)

// inContainer says whether this process runs in a container, by the traces that the usual engines leave in its file system.
func inContainer(root fs.FS) bool {
	for _, marker := range []string{".dockerenv", "run/.containerenv"} { // Docker, Podman
		if _, err := fs.Stat(root, marker); err == nil {
			return true
		}
	}
	return mentions(root, "proc/1/cgroup", "docker", "containerd", "kubepods", "libpod", "/lxc/") || // cgroup v1
		mentions(root, "proc/self/mountinfo", " /etc/hosts ") // which engines lay over the image's own
}

// mentions says whether a file has one of the words.
func mentions(root fs.FS, name string, words ...string) bool {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return false
	}
	for _, word := range words {
		if strings.Contains(string(text), word) {
			return true
		}
	}
	return false
}
