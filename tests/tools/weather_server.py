#!/usr/bin/python3
"""A server in Open-Meteo's format on a port of loopback, for the test of the
plugin `weather`. Prints its port. The first part of a path says how it
behaves: /good/v1/search, /500/v1/forecast, ... See `behave`."""
import http.server
import json
import random
import time
import urllib.parse

PLACES = {
    "rome": [
        {"name": "Rome", "latitude": 34.257, "longitude": -85.1647,
         "country": "United States", "country_code": "US", "admin1": "Georgia"},
        {"name": "Rome", "latitude": 41.8919, "longitude": 12.5113,
         "country": "Italy", "country_code": "IT", "admin1": "Lazio"}],
    "münchen": [{"name": "Munich", "latitude": 48.137, "longitude": 11.575,
                 "country": "Germany"}],
    "nowhere": [{"name": "Nowhere"}],
}


def forecast(query):
    imperial = query.get("temperature_unit") == ["fahrenheit"]
    assert (query.get("wind_speed_unit") == ["mph"]) == imperial
    assert query["timezone"] == ["auto"] and query["forecast_days"] == ["2"]
    south = float(query["latitude"][0]) < 0
    return {
        "latitude": 41.875, "longitude": 12.5, "utc_offset_seconds": 3600,
        "current_units": {"temperature_2m": "°C"},
        "current": {
            "time": "2026-11-21T10:00", "interval": 900,
            "temperature_2m": 59.4 if imperial else -0.3 if south else 14.6,
            "apparent_temperature": 13.2, "weather_code": 61,
            "wind_speed_10m": 11.9},
        "daily": {
            "time": ["2026-11-21", "2026-11-22"], "weather_code": [61, 95],
            "temperature_2m_max": [17.4, 15.0],
            "temperature_2m_min": [9.6, 8.2],
            "precipitation_probability_max": [80, None],
            "wind_speed_10m_max": [20.1, 44.4]}}


def nonsense(random, depth=0):
    kind = random.randrange(9 if depth < 4 else 6)
    names = ["current", "daily", "results", "latitude", "longitude", "name",
             "temperature_2m", "weather_code", "country", "temperature_2m_min",
             "temperature_2m_max", "wind_speed_10m", "reason"]
    if kind >= 7:
        return {random.choice(names): nonsense(random, depth + 1)
                for _ in range(random.randrange(6))}
    if kind == 6:
        return [nonsense(random, depth + 1) for _ in range(random.randrange(4))]
    return [None, True, -1e308, 12.5, "%s%n\u0001 é" * random.randrange(60),
            99][kind]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    random = random.Random(4)

    def log_message(self, *args):
        pass

    def say(self, body, status=200, **headers):
        body = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def good(self, path, query):
        if path.endswith("/search"):
            found = PLACES.get(query["name"][0].lower())
            return {"generationtime_ms": 0.5, **({"results": found} if found else {})}
        return forecast(query)

    def behave(self, how, path, query):
        if how == "good":
            self.say(json.dumps(self.good(path, query)))
        elif how == "keyed":
            ok = query.get("apikey") == ["secret"]
            self.say(json.dumps(self.good(path, query)) if ok else "{}",
                     200 if ok else 401)
        elif how == "400":
            self.say('{"error":true,"reason":"Latitude must be in range"}', 400)
        elif how == "500":
            self.say("<html>oh</html>", 500)
        elif how == "html":
            self.say("<html>log in to the hotel's network</html>")
        elif how == "empty":
            self.say("")
        elif how == "array":
            self.say("[1,2,3]")
        elif how == "nothing":
            self.say('{"current":{},"daily":{"temperature_2m_min":[null]}}')
        elif how == "huge":
            self.say(b" " * 1_000_000)
        elif how == "deep":
            self.say("[" * 100_000)
        elif how == "slow":
            time.sleep(20)
        elif how == "short":
            self.send_response(200)
            self.send_header("Content-Length", "500")
            self.end_headers()
            self.wfile.write(b'{"cur')
            self.close_connection = True
        elif how == "moved":
            self.say("", 302, Location=self.path.replace("moved", "good", 1))
        elif how == "loop":
            self.say("", 302, Location=self.path)
        elif how == "file":
            self.say("", 302, Location="file:///etc/passwd")
        elif how == "nonsense":
            self.say(json.dumps(nonsense(self.random)))

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query, keep_blank_values=True)
        try:
            self.behave(url.path.split("/")[1], url.path, query)
        except (AssertionError, KeyError) as e:
            self.say(f"the query is wrong: {e}", 418)
        except OSError:
            self.close_connection = True


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
server.handle_error = lambda *args: None  # clients that go are the test
print(server.server_port, flush=True)
server.serve_forever()
