package run

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mocksrv/mocksrv/internal/near"
	"github.com/mocksrv/mocksrv/internal/scenario"
	"github.com/mocksrv/mocksrv/scenarios"
)

// ErrNoScenario means that a path leads to no scenario at all.
var ErrNoScenario = errors.New("no scenario there")

// Files finds the scenario files of a path: the file, those of a folder and the folders in it, or a built-in scenario by its
// name.
func Files(path string) ([]string, error) {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return inFolder(path)
	case err == nil && !isFile(path):
		return []string{"." + string(filepath.Separator) + path}, nil
	case err == nil:
		return []string{path}, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case slices.Contains(scenarios.Names(), path):
		return []string{path}, nil
	}
	return nil, fmt.Errorf("%w: %s is no file, no folder, and no built-in scenario%s", ErrNoScenario, path, perhaps(path))
}

// inFolder finds the files below a folder, in the order of their names.
func inFolder(folder string) ([]string, error) {
	var found []string
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		hidden := d != nil && path != folder && strings.HasPrefix(d.Name(), ".")
		switch {
		case err != nil:
			return err
		case d.IsDir() && hidden:
			return fs.SkipDir
		case !d.IsDir() && !hidden && slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(path)):
			found = append(found, path)
		}
		return nil
	})
	if err == nil && len(found) == 0 {
		return nil, fmt.Errorf("%w: the folder %s has no file *.yaml or *.yml", ErrNoScenario, folder)
	}
	return found, err
}

// perhaps is the built-in scenario that was meant.
func perhaps(name string) string {
	if best := near.Best(name, scenarios.Names()); best != "" {
		return fmt.Sprintf("; did you mean %s?", best)
	}
	return " (mocksrv scenarios lists those)"
}

// Read reads a scenario file, or a built-in scenario by its name.
func Read(name string) ([]byte, error) {
	if !isFile(name) {
		return scenarios.Read(name)
	}
	file, err := os.Open(name) //nolint:gosec // the file that the user names, or one that it includes
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it is only read
	return io.ReadAll(io.LimitReader(file, scenario.MaxFile+1))
}

// Cases reads files. What is wrong with one stands in Broken.
func Cases(files []string, names scenario.Names) (cases []Case, broken []Broken) {
	for _, file := range files {
		loaded, err := scenario.Load(file, Read, names)
		if err != nil {
			broken = append(broken, Broken{File: file, Error: err.Error()})
			continue
		}
		for _, c := range loaded.Cases() {
			cases = append(cases, Case{File: file, Name: c.Name, Scenario: c.Scenario, At: loaded.At})
		}
	}
	return cases, broken
}

// isFile tells a file from the name of a built-in scenario.
func isFile(name string) bool {
	return strings.ContainsAny(name, `/\`) || slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name))
}
