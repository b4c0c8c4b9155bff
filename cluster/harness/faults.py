"""A proxy that stands between two parts of a cluster and does as it is told: passes, holds everything back as a cut wire does, refuses, delays, or answers 503.

    python3 faults.py CONTROL_PORT LISTEN:TARGET …      all on 127.0.0.1
One line on the control port, `MODE LISTEN …`, sets the mode of those listeners (none: of all) and is answered with `ok`:
    pass              bytes go through
    cut               nothing goes through and nothing is closed; what was held back goes on when the mode changes
    refuse            connections are closed, new ones too
    delay:SECONDS     what a client sends arrives that much later
    503               every HTTP request is answered with 503
"""
import asyncio
import sys

CHUNK = 262144
REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Listener:
    def __init__(self, port, target):
        self.port, self.target = port, target
        self.mode = "pass"
        self.changed = asyncio.Event()
        self.writers = set()

    def set(self, mode):
        self.mode = mode
        self.changed.set()
        self.changed = asyncio.Event()
        if mode in ("refuse", "503"):
            for writer in list(self.writers):
                writer.transport.abort()

    async def while_cut(self):
        while self.mode == "cut":
            await self.changed.wait()

    async def serve(self, reader, writer):
        self.writers.add(writer)
        server = None
        try:
            await self.while_cut()
            if self.mode == "refuse":
                return
            if self.mode == "503":
                await reader.read(CHUNK)
                writer.write(REFUSAL)
                await writer.drain()
                return
            answers, server = await asyncio.open_connection("127.0.0.1", self.target)
            self.writers.add(server)
            # Both ways until either ends: half-closed connections are nobody's here.
            ways = [asyncio.ensure_future(self.pump(reader, server, True)), asyncio.ensure_future(self.pump(answers, writer, False))]
            _, open_ones = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in open_ones:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            pass
        finally:
            for one in (writer, server):
                if one is not None:
                    self.writers.discard(one)
                    one.close()

    async def pump(self, reader, writer, from_client):
        while True:
            data = await reader.read(CHUNK)
            await self.while_cut()
            if not data:
                return
            if from_client and self.mode.startswith("delay:"):
                await asyncio.sleep(float(self.mode[6:]))
            writer.write(data)
            await writer.drain()


async def main(control, pairs):
    listeners = {}
    for pair in pairs:
        port, target = (int(part) for part in pair.split(":"))
        listeners[port] = Listener(port, target)
        await asyncio.start_server(listeners[port].serve, "127.0.0.1", port)

    async def obey(reader, writer):
        words = (await reader.readline()).decode().split()
        for port in [int(word) for word in words[1:]] or listeners:
            listeners[port].set(words[0])
        writer.write(b"ok\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(obey, "127.0.0.1", control) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2:]))
