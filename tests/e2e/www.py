# SPDX-License-Identifier: MIT
"""www.py PORT FOLDER: a web server on this host's loopback, IPv4 and IPv6.

PUT stores nothing but the number of bytes that came, in put.size.
"""
import http.server
import os
import socket
import sys
import threading


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_PUT(self):
        left = int(self.headers["Content-Length"])
        size = 0
        while size < left:
            piece = self.rfile.read1(min(65536, left - size))
            if not piece:
                break
            size += len(piece)
        with open("put.tmp", "w") as f:
            f.write(str(size))
        os.rename("put.tmp", "put.size")
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


class Server6(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6


port, folder = int(sys.argv[1]), sys.argv[2]
os.chdir(folder)
v4 = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
threading.Thread(target=v4.serve_forever, daemon=True).start()
Server6(("::1", port), Handler).serve_forever()
