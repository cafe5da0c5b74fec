package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// TestEveryLinkedModuleIsListed compares the document of a binary with what `go version -m` says of it.
func TestEveryLinkedModuleIsListed(t *testing.T) {
	t.Parallel()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	document := filepath.Join(t.TempDir(), "sbom.json")
	if err := run(binary, document); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(document)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(file, cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for _, c := range *bom.Components {
		listed[c.Name] = c.Version
	}
	out, err := exec.CommandContext(t.Context(), "go", "version", "-m", binary).Output()
	if err != nil {
		t.Fatal(err)
	}
	linked := 0
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[0] == "dep" {
			linked++
			if listed[fields[1]] != fields[2] {
				t.Errorf("want %s %s in the document, got %q", fields[1], fields[2], listed[fields[1]])
			}
		}
	}
	if linked == 0 || len(listed) != linked+1 {
		t.Errorf("want %d modules and the standard library, got %d", linked, len(listed))
	}
}

func TestWhatIsNoBinaryIsRefused(t *testing.T) {
	t.Parallel()
	if err := run("main.go", filepath.Join(t.TempDir(), "x")); err == nil {
		t.Error("want an error, got none")
	}
}
