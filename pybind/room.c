//go:build gopy_binding

/* Makes room for descriptors while the process may still have one thread. */
#include <fcntl.h>
#include <unistd.h>

/* engine/aside.go puts the engine's descriptors from here on. */
#define ASIDE_FROM 960

/* Growing the table of descriptors takes the kernel 10 ms (an RCU grace period) once threads share it, and Go's
 * threads start when the library is loaded: in a constructor too, but in one without a priority, so after this. */
__attribute__((constructor(101))) static void make_room(void)
{
    int low = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int high = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, ASIDE_FROM);
    if (high >= 0)
        close(high);
    if (low >= 0)
        close(low);
}
