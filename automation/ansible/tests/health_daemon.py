"""The service under test: answers GET /health with the version of the release it was started from.

Usage: health_daemon.py ADDRESS PORT. Reads VERSION and STATUS (ok, or anything else for a sick release) beside itself.
"""

import http.server
import json
import pathlib
import sys

RELEASE = pathlib.Path(__file__).resolve().parent
VERSION = (RELEASE / "VERSION").read_text().strip()
STATUS = (RELEASE / "STATUS").read_text().strip()


class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"status": STATUS, "version": VERSION, "service": "checkout"}).encode()
        self.send_response(200 if STATUS == "ok" else 503)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    allow_reuse_address = True
    daemon_threads = True


server = Server((sys.argv[1], int(sys.argv[2])), Health)
print("listening", flush=True)
server.serve_forever()
