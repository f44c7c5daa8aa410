# SPDX-License-Identifier: Apache-2.0
"""The paths of mode http: each reads requests, tells the backend of the client, keeps connections on
both sides, and has one worker and no log."""
import json

from lib.netns import BACKEND, PROXY

from .peers import BACKEND_BASE, DESCRIPTORS, WEB, Nginx, Plain, Sluice, HAProxy


class HttpSluice(Sluice):
    name, title, base = "sluice-http", "Sluice", 8600

    def launch(self):
        config = self.directory / f"{self.name}.yaml"
        config.write_text(json.dumps({
            "workers": 1, "io": self.io, "acceleration": {"mode": "off"},
            "admin": {"socket": str(self.directory / f"{self.name}.sock")},
            "listeners": [{"name": "web", "bind": [f"{PROXY}:{self.base + WEB}"], "mode": "http",
                           "backlog": 16384, "pool": "web"}],
            "pools": [{"name": "web", "http": {"idle_connections": 1024},
                       "endpoints": [{"address": f"{BACKEND}:{BACKEND_BASE + WEB}"}]}],
        }, indent=1))
        return self.spawn([self.binary, "-c", config])


class HttpHAProxy(HAProxy):
    """Any request may use any idle connection to the backend, as it is with the others."""
    name, title, base = "haproxy-http", "HAProxy", 8700
    connections = DESCRIPTORS // 4

    def launch(self):
        config = self.directory / f"{self.name}.cfg"
        config.write_text(f"""
global
  nbthread 1
  maxconn {self.connections}
defaults
  mode http
  maxconn {self.connections}
  option forwardfor
  option splice-auto
  http-reuse always
  timeout connect 5s
  timeout client 10m
  timeout server 10m
listen web
  bind {PROXY}:{self.base + WEB} backlog 16384
  server backend {BACKEND}:{BACKEND_BASE + WEB} pool-max-conn 1024
""")
        return self.spawn(["haproxy", "-db", "-f", config])


class HttpNginx(Nginx):
    name, title, base = "nginx-http", "nginx", 8800

    def launch(self):
        home = self.directory / "nginx-http"
        home.mkdir(exist_ok=True)
        config = home / "nginx.conf"
        config.write_text(f"""
user root; daemon off; worker_processes 1; worker_rlimit_nofile {DESCRIPTORS};
pid {home}/pid; error_log {home}/error.log error;
events {{ worker_connections {DESCRIPTORS}; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 10m;
  client_body_temp_path {home}/body; proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/fastcgi; uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
  upstream web {{
    server {BACKEND}:{BACKEND_BASE + WEB};
    keepalive 1024; keepalive_requests 1000000000; keepalive_timeout 10m;
  }}
  server {{
    listen {PROXY}:{self.base + WEB} backlog=16384;
    location / {{
      proxy_pass http://web; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
  }}
}}
""")
        return self.spawn(["nginx", "-p", home, "-c", config, "-e", home / "error.log"])


HTTP_PEERS = (Plain, HttpSluice, HttpHAProxy, HttpNginx)
