// A certificate for localhost, made by the openssl command.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";

/** { key, cert } in PEM, and the file of the certificate. */
export function make_certificate(folder) {
    const key_file = path.join(folder, "key.pem");
    const cert_file = path.join(folder, "cert.pem");
    execFileSync("openssl", [
        "req", "-x509", "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=localhost", "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "-keyout", key_file, "-out", cert_file,
    ], { stdio: "pipe" });
    return {
        key: readFileSync(key_file), cert: readFileSync(cert_file), cert_file,
    };
}
