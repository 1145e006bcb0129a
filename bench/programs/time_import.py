"""The cost of beginning: time_import.py import|pass asyncore|asyncio|uvloop

Prints the CPU time in seconds that the import takes, or the import and one pass of a loop.
"""

import sys
import time


def asyncore_pass():
    import asyncore

    asyncore.dispatcher().create_socket()
    asyncore.loop(timeout=0, count=1)


def asyncio_pass():
    import asyncio

    loop = asyncio.new_event_loop()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def uvloop_pass():
    import asyncio

    import uvloop

    loop = uvloop.new_event_loop()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def main(what, module):
    first_pass = globals()[f"{module}_pass"]
    start = time.process_time()
    if what == "import":
        __import__(module)
    else:
        first_pass()
    print(time.process_time() - start)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
