package examples

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// goOn runs a go command for another system.
func goOn(system, processor string, args ...string) (string, error) {
	command := exec.Command("go", args...)
	command.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+processor, "CGO_ENABLED=0")
	output, err := command.CombinedOutput()
	return string(output), err
}

func TestOtherSystemsAreToldWhichAreServed(t *testing.T) {
	for _, system := range []string{"windows/amd64", "solaris/amd64", "js/wasm"} {
		name, processor, _ := strings.Cut(system, "/")
		for _, of := range []string{"../../engine", "../../engine/chat"} {
			output, err := goOn(name, processor, "build", of)
			assert.Error(t, err)
			assert.Contains(t, output, "this_package_serves_Linux_macOS_and_the_BSDs_only", system)
			assert.Len(t, strings.Split(strings.TrimSpace(output), "\n"), 2, output) // the package, and its error
		}
	}
}
