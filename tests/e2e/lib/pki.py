# SPDX-License-Identifier: Apache-2.0
"""Certificates for tests: an authority, what it signs, what it takes back."""
import subprocess

_CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
_RSA = ["-newkey", "rsa:2048"]


def _openssl(*argv):
    subprocess.run(["openssl", *map(str, argv)], check=True, capture_output=True)


class Certificate:
    """Files of one: cert (with its chain), key."""

    def __init__(self, cert, key):
        self.cert, self.key = cert, key

    def row(self, **more):
        """As the configuration has it."""
        return {"cert": str(self.cert), "key": str(self.key), **more}


def _alternative(name):
    """As an extension has it: an IP address, a URI, an e-mail address, or else a DNS name."""
    if "//" in name:
        return f"URI:{name}"
    if "@" in name:
        return f"email:{name}"
    return f"{'IP' if name.replace('.', '').isdigit() or ':' in name else 'DNS'}:{name}"


class Authority:
    """With a parent it stands between that and what it signs."""

    def __init__(self, directory, name="ca", parent=None):
        self.directory = directory
        self.parent = parent
        self.name = name
        self.cert, self.key = directory / f"{name}.pem", directory / f"{name}.key"
        self._database = directory / f"{name}.db"
        self._config = directory / f"{name}.cnf"
        self._database.write_text("")
        self._config.write_text(f"""[ca]
default_ca = own
[own]
database = {self._database}
default_md = sha256
default_crl_days = 30
certificate = {self.cert}
private_key = {self.key}
""")
        signer = ["-CA", parent.cert, "-CAkey", parent.key] if parent else []
        _openssl("req", "-x509", *_CURVE, "-nodes", "-days", 30, "-subj", f"/CN={name}", *signer,
                 "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                 "-keyout", self.key, "-out", self.cert)

    def issue(self, *names, rsa=False, days=30, label=None, responder=None):
        """For names of any kind, the first of which is the common name too."""
        label = label or names[0].replace("*", "any") + (".rsa" if rsa else "")
        cert, key, request = (self.directory / f"{label}{end}" for end in (".pem", ".key", ".csr"))
        extensions = self.directory / f"{label}.ext"
        extensions.write_text("subjectAltName=" + ",".join(map(_alternative, names)) + "\n"
                              + (f"authorityInfoAccess=OCSP;URI:{responder}\n" if responder else ""))
        _openssl("req", "-new", *(_RSA if rsa else _CURVE), "-nodes", "-subj", f"/CN={names[0]}",
                 "-keyout", key, "-out", request)
        _openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key,
                 "-CAcreateserial", "-days", days, "-extfile", extensions, "-out", cert)
        cert.write_text(cert.read_text() + self.cert.read_text())
        key.chmod(0o600)
        return Certificate(cert, key)

    def index(self, certificate):
        """What a responder knows of: `certificate`, as good."""
        serial = subprocess.run(["openssl", "x509", "-in", certificate.cert, "-noout", "-serial"],
                                check=True, capture_output=True, text=True).stdout.strip()[7:]
        path = self.directory / "index.txt"
        path.write_text(f"V\t331231235959Z\t\t{serial}\tunknown\t/CN=any\n")
        return path

    def responder(self, certificate, port):
        """The command of an OCSP responder for one certificate."""
        return ["openssl", "ocsp", "-port", port, "-index", self.index(certificate), "-ndays", 1,
                "-rsigner", self.cert, "-rkey", self.key, "-CA", self.cert]

    def revoke(self, certificate):
        _openssl("ca", "-config", self._config, "-revoke", certificate.cert)

    def crl(self):
        path = self.directory / f"{self.name}.crl"
        _openssl("ca", "-config", self._config, "-gencrl", "-out", path)
        return path
