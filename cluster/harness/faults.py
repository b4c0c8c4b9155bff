"""A proxy that stands between two parts of a cluster and does as it is told: passes, or holds everything back as a cut wire does.

    python3 faults.py CONTROL_PORT LISTEN:TARGET …      all on 127.0.0.1
One line on the control port, answered with `ok`, sets the mode:
    pass      bytes go through
    cut       nothing goes through and nothing is closed; what was held back goes on when the mode changes
"""
import asyncio
import sys

CHUNK = 262144


class Wire:
    def __init__(self):
        self.whole = asyncio.Event()
        self.whole.set()

    def set(self, mode):
        if mode == "cut":
            self.whole.clear()
        else:
            self.whole.set()

    async def serve(self, reader, writer, target):
        server = None
        try:
            await self.whole.wait()
            answers, server = await asyncio.open_connection("127.0.0.1", target)
            # Both ways until either ends: half-closed connections are nobody's here.
            ways = [asyncio.ensure_future(self.pump(reader, server)), asyncio.ensure_future(self.pump(answers, writer))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            # The target does not listen: the client sees its connection closed.
            pass
        finally:
            for one in (writer, server):
                if one is not None:
                    one.close()

    async def pump(self, reader, writer):
        while data := await reader.read(CHUNK):
            await self.whole.wait()
            writer.write(data)
            await writer.drain()
        await self.whole.wait()


async def main(control, pairs):
    wire = Wire()
    for pair in pairs:
        port, target = (int(part) for part in pair.split(":"))
        await asyncio.start_server(lambda reader, writer, target=target: wire.serve(reader, writer, target), "127.0.0.1", port)

    async def obey(reader, writer):
        wire.set((await reader.readline()).decode().strip())
        writer.write(b"ok\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(obey, "127.0.0.1", control) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2:]))
