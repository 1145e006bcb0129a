package engine

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/goasyncore/goasyncore/"

// above says which of the module's packages each of them may import: those beneath it, never back.
var above = map[string][]string{
	"engine/internal/clock":      {},
	"engine/internal/descriptor": {},
	"engine/internal/output":     {},
	"engine/poller":              {"engine/internal/clock", "engine/internal/descriptor"},
	"engine/selector":            {"engine/poller", "engine/internal/clock", "engine/internal/descriptor"},
	"engine/socket":              {},
	"engine": {
		"engine/socket", "engine/selector", "engine/poller", "engine/internal/clock", "engine/internal/descriptor", "engine/internal/output",
	},
	"engine/chat":            {"engine", "engine/internal/output"},
	"engine/internal/fdtest": {},
	"pybind":                 {"engine/selector", "engine/poller", "pybind/stdio"},
	"pybind/stdio":           {},
}

// goFiles are the Go files of the engine and of what stands above it, tests apart, whatever platform they are for.
func goFiles(t *testing.T) (files []string) {
	for _, root := range []string{"../engine", "../pybind"} {
		require.NoError(t, filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
			if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				files = append(files, path)
			}
			return err
		}))
	}
	require.Greater(t, len(files), 40)
	return files
}

func TestImportsGoDownwards(t *testing.T) {
	for _, file := range goFiles(t) {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		require.NoError(t, err)
		of := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(file)), "../")
		allowed, known := above[of]
		require.True(t, known, "%s: say what this package may import", of)
		for _, spec := range parsed.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			if beneath, ours := strings.CutPrefix(path, module); ours {
				assert.Contains(t, allowed, beneath, file)
			} else if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") && of != "engine/internal/fdtest" {
				assert.Equal(t, "golang.org/x/sys/unix", path, file)
			}
		}
	}
}

func TestNoFileHasTwoSubjects(t *testing.T) {
	for _, file := range goFiles(t) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.LessOrEqual(t, strings.Count(string(text), "\n"), 300, file)
	}
}
