"""A worker without an application: it says that it is ready, follows the line, and answers with its own process.

It imports nothing of myapp, which takes longer than the whole test. What it reads from the file given as its argument
is its mood: "fails" ends before it is ready, "hangs" never is, "stays" heeds neither line nor signal; all else is well.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path


def main() -> None:
    mood = Path(sys.argv[1]).read_text()
    if mood == "fails":
        sys.exit(3)
    if mood == "hangs":
        time.sleep(60)
    if mood == "stays":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    line = socket.socket(fileno=int(os.environ["MYAPP_WORKER_LINE"]))
    door = socket.socket(fileno=int(os.environ["MYAPP_WORKER_SOCKETS"]))
    door.listen()
    threading.Thread(target=answer, args=[door], daemon=True).start()
    line.sendall(b"R")
    line.recv(1)
    while mood == "stays":
        time.sleep(60)


def answer(door: socket.socket) -> None:
    while True:
        connected, _ = door.accept()
        with connected:
            connected.sendall(str(os.getpid()).encode())


if __name__ == "__main__":
    main()
