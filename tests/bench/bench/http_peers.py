# SPDX-License-Identifier: Apache-2.0
"""The paths of mode http, plain and behind TLS: each reads requests, tells the backend of the client, keeps connections on
both sides, and has one worker and no log."""
import json

from lib.netns import BACKEND, PROXY
from lib.pki import Authority, Certificate

from .peers import BACKEND_BASE, DESCRIPTORS, FILES, WEB, Nginx, Plain, Sluice, HAProxy

CIPHER, GROUP = "TLS_AES_128_GCM_SHA256", "X25519"


def certificate(directory):
    """The same for everybody: ECDSA on P-256."""
    own = Certificate(directory / "bench.pem", directory / "bench.key")
    return own if own.cert.exists() else Authority(directory).issue("bench")


class HttpSluice(Sluice):
    name, title, base = "sluice-http", "Sluice", 8600
    tls = {}

    def listener(self, name, offset, **more):
        return {"name": name, "bind": [f"{PROXY}:{self.base + offset}"], "mode": "http",
                "backlog": 16384, **self.tls, **more}

    def launch(self):
        config = self.directory / f"{self.name}.yaml"
        config.write_text(json.dumps({
            "workers": 1, "io": self.io, "acceleration": {"mode": "off"},
            "admin": {"socket": str(self.directory / f"{self.name}.sock")},
            "listeners": [self.listener("web", WEB, pool="web"),
                          self.listener("files", FILES, routes=[
                              {"match": {"path_prefix": "/"},
                               "files": {"root": str(self.directory)}}])],
            "pools": [{"name": "web", "http": {"idle_connections": 1024},
                       "endpoints": [{"address": f"{BACKEND}:{BACKEND_BASE + WEB}"}]}],
        }, indent=1))
        return self.spawn([self.binary, "-c", config])


class HttpHAProxy(HAProxy):
    """Any request may use any idle connection to the backend, as it is with the others."""
    name, title, base = "haproxy-http", "HAProxy", 8700
    tls = tls_policy = ""

    def launch(self):
        config = self.directory / f"{self.name}.cfg"
        config.write_text(f"""
global
  nbthread 1
  maxconn {self.connections}
  maxpipes 256
  {self.tls_policy}
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
  bind {PROXY}:{self.base + WEB} backlog 16384 {self.tls}
  server backend {BACKEND}:{BACKEND_BASE + WEB} pool-max-conn 1024
""")
        return self.spawn(["haproxy", "-db", "-f", config])


class HttpNginx(Nginx):
    name, title, base = "nginx-http", "nginx", 8800
    ssl = tls_policy = ""

    def launch(self):
        home = self.directory / self.name
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
  {self.tls_policy}
  upstream web {{
    server {BACKEND}:{BACKEND_BASE + WEB};
    keepalive 1024; keepalive_requests 1000000000; keepalive_timeout 10m;
  }}
  server {{
    listen {PROXY}:{self.base + WEB} {self.ssl} backlog=16384;
    location / {{
      proxy_pass http://web; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
  }}
  server {{
    listen {PROXY}:{self.base + FILES} {self.ssl} backlog=16384;
    sendfile on; tcp_nopush on; open_file_cache max=1000; root {self.directory};
  }}
}}
""")
        return self.spawn(["nginx", "-p", home, "-c", config, "-e", home / "error.log"])


class HttpsSluice(HttpSluice):
    """Which cipher and group: the first ones of its own order."""
    name, base, scheme = "sluice-https", 8900, "https"

    def launch(self):
        own = certificate(self.directory)
        self.tls = {"tls": {"certificates": [own.row()], "min_version": "1.3"}}
        return super().launch()


class HttpsHAProxy(HttpHAProxy):
    name, base, scheme = "haproxy-https", 9000, "https"
    tls_policy = (f"ssl-default-bind-ciphersuites {CIPHER}\n  ssl-default-bind-curves {GROUP}\n"
                  "  ssl-default-bind-options ssl-min-ver TLSv1.3")

    def launch(self):
        own = certificate(self.directory)
        both = self.directory / "haproxy.pem"
        both.write_text(own.cert.read_text() + own.key.read_text())
        self.tls = f"ssl crt {both}"
        return super().launch()


class HttpsNginx(HttpNginx):
    name, base, scheme = "nginx-https", 9100, "https"
    ssl = "ssl"

    def launch(self):
        own = certificate(self.directory)
        self.tls_policy = f"""ssl_certificate {own.cert}; ssl_certificate_key {own.key};
  ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites {CIPHER}; ssl_ecdh_curve {GROUP};"""
        return super().launch()


HTTP_PEERS = (Plain, HttpSluice, HttpHAProxy, HttpNginx)
HTTPS_PEERS = (HttpsSluice, HttpsHAProxy, HttpsNginx)
