// Is a request, is a chunk signed right? Everything is computed twice: here,
// from AWS's description, with node:crypto; and by @smithy/signature-v4, the
// signer of the official SDK. Both must give the client's signature.
import { createHash, createHmac } from "node:crypto";

import { EventStreamCodec } from "@smithy/eventstream-codec";
import { SignatureV4 } from "@smithy/signature-v4";

const SERVICE = "bedrock";
const STREAMING = "STREAMING-AWS4-HMAC-SHA256-EVENTS";
const MAX_SKEW_MS = 5 * 60 * 1000;

export const codec = new EventStreamCodec(
    (bytes) => Buffer.from(bytes).toString("utf8"),
    (text) => Buffer.from(text, "utf8"));

/** Why a request is refused, as AWS says it. */
export class Refusal extends Error {
    constructor(status, type, message) {
        super(message);
        this.status = status;
        this.type = type;
    }
}

const forbidden = (type, message) => new Refusal(403, type, message);

/** What the Smithy signer wants for a hash. */
class Sha256 {
    constructor(secret) {
        this.hash = secret === undefined ? createHash("sha256") :
            createHmac("sha256", secret);
    }

    update(data) {
        this.hash.update(data);
    }

    async digest() {
        return this.hash.digest();
    }
}

const sha256_hex = (data) => createHash("sha256").update(data).digest("hex");
const hmac = (key, data) => createHmac("sha256", key).update(data).digest();

function signing_key({ secret, day, region }) {
    return [day, region, SERVICE, "aws4_request"]
        .reduce(hmac, `AWS4${secret}`);
}

const escape = (text) => encodeURIComponent(text).replace(/[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

function parse_authorization(text) {
    const form = new RegExp("^AWS4-HMAC-SHA256 Credential=" +
        "([^/,]+)/(\\d{8})/([a-z0-9-]+)/([a-z]+)/aws4_request, ?" +
        "SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$");
    const found = form.exec(text ?? "");
    if (found === null) {
        throw forbidden("IncompleteSignatureException",
            `not a SigV4 authorization: ${text}`);
    }
    const [, key_id, day, region, service, names, signature] = found;
    return { key_id, day, region, service, names: names.split(";"),
        signature };
}

function parse_date(text) {
    const form = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text ?? "");
    if (form === null) {
        throw forbidden("IncompleteSignatureException",
            `x-amz-date is ${text}`);
    }
    const [year, month, ...rest] = form.slice(1).map(Number);
    return new Date(Date.UTC(year, month - 1, ...rest));
}

function check_headers(headers, names, keys) {
    const is = (name, wanted) => {
        if (headers[name] !== wanted) {
            throw forbidden("IncompleteSignatureException",
                `${name} is ${headers[name]}, not ${wanted}`);
        }
    };
    is("content-type", "application/vnd.amazon.eventstream");
    is("x-amz-content-sha256", STREAMING);
    if (headers["x-amz-security-token"] !== keys.sessionToken) {
        throw forbidden("UnrecognizedClientException",
            "The security token included in the request is invalid.");
    }
    const needed = Object.keys(headers)
        .filter((name) => name.startsWith("x-amz-"));
    for (const name of ["content-type", ...needed]) {
        if (!names.includes(name)) {
            throw forbidden("InvalidSignatureException",
                `'${name}' must be a 'SignedHeader'`);
        }
    }
    if (!names.includes("host") && !names.includes(":authority")) {
        throw forbidden("InvalidSignatureException",
            "'Host' or ':authority' must be a 'SignedHeader'");
    }
}

function by_hand(request, given, secret) {
    const { method, path, values } = request;
    const canonical = [
        method, path.split("/").map(escape).join("/"), "",
        ...given.names.map((name, i) => `${name}:${values[i].trim()}`), "",
        given.names.join(";"), STREAMING,
    ].join("\n");
    const to_sign = [
        "AWS4-HMAC-SHA256", request.date_text,
        `${given.day}/${given.region}/${SERVICE}/aws4_request`,
        sha256_hex(canonical),
    ].join("\n");
    return hmac(signing_key({ ...given, secret }), to_sign).toString("hex");
}

async function by_smithy(request, given, signer) {
    const headers = Object.fromEntries(given.names
        .map((name, i) => [name, request.values[i]]));
    const signed = await signer.sign({
        method: request.method, protocol: "https:", hostname: "localhost",
        path: request.path, query: {}, headers,
    }, { signingDate: request.date, signableHeaders: new Set(given.names) });
    return /Signature=(\w+)$/.exec(signed.headers.authorization)[1];
}

function read_request(headers, given) {
    const values = given.names.map((name) =>
        headers[name] ?? (name === "host" ? headers[":authority"] : undefined));
    const missing = given.names[values.indexOf(undefined)];
    if (missing !== undefined) {
        throw forbidden("InvalidSignatureException",
            `'${missing}' is signed but not there`);
    }
    return {
        method: headers[":method"], path: headers[":path"], values,
        date: parse_date(headers["x-amz-date"]),
        date_text: headers["x-amz-date"],
    };
}

function check_scope(given, request) {
    if (given.service !== SERVICE) {
        throw forbidden("InvalidSignatureException",
            `scoped to ${given.service}, not ${SERVICE}`);
    }
    if (given.day !== request.date_text.slice(0, 8)) {
        throw forbidden("InvalidSignatureException",
            "Date in Credential scope does not match x-amz-date");
    }
    if (Math.abs(Date.now() - request.date) > MAX_SKEW_MS) {
        throw forbidden("InvalidSignatureException",
            `Signature expired: ${request.date_text}`);
    }
}

/** Verifies a request's headers; returns the Chain of its chunks, or throws
 * the Refusal. */
export async function verify_request(headers, keys) {
    const given = parse_authorization(headers.authorization);
    if (given.key_id !== keys.accessKeyId) {
        throw forbidden("UnrecognizedClientException",
            "The security token included in the request is invalid.");
    }
    check_headers(headers, given.names, keys);
    const request = read_request(headers, given);
    check_scope(given, request);
    const signer = new SignatureV4({
        credentials: keys, region: given.region, service: SERVICE,
        sha256: Sha256,
    });
    const secret = keys.secretAccessKey;
    if (by_hand(request, given, secret) !== given.signature ||
        await by_smithy(request, given, signer) !== given.signature) {
        throw forbidden("InvalidSignatureException",
            "The request signature we calculated does not match the " +
            "signature you provided.");
    }
    return new Chain(given, secret, signer);
}

/** The chunk signatures of one stream, each made over the one before. */
class Chain {
    constructor(given, secret, signer) {
        this.prior = given.signature;
        this.region = given.region;
        this.secret = secret;
        this.signer = signer;
    }

    /** The payload of a frame that is next in the chain; throws if not. */
    async open(frame) {
        const { headers, body } = codec.decode(frame);
        const names = Object.keys(headers).sort().join(" ");
        if (names !== ":chunk-signature :date") {
            throw new Error(`the outer headers are ${names}`);
        }
        const date = headers[":date"];
        const signature = headers[":chunk-signature"];
        if (date.type !== "timestamp" || signature.type !== "binary") {
            throw new Error("the outer headers are of wrong types");
        }
        if (Math.abs(Date.now() - date.value) > MAX_SKEW_MS) {
            throw new Error(`the chunk is dated ${date.value.toISOString()}`);
        }
        await this.#verify(date.value, body,
            Buffer.from(signature.value).toString("hex"));
        return body;
    }

    async #verify(date, body, signature) {
        const encoded = Buffer.alloc(15);
        encoded.write("\x05:date\x08", "latin1");
        encoded.writeBigInt64BE(BigInt(date.getTime()), 7);
        const smithy = await this.signer.sign(
            { headers: codec.formatHeaders(
                { ":date": { type: "timestamp", value: date } }),
            payload: body },
            { signingDate: date, priorSignature: this.prior,
                signingRegion: this.region, signingService: SERVICE });
        if (this.#by_hand(date, encoded, body) !== signature ||
            smithy !== signature) {
            throw new Error("a chunk signature is wrong");
        }
        this.prior = signature;
    }

    #by_hand(date, encoded_date, body) {
        const text = date.toISOString().replace(/[-:]|\.\d+/g, "");
        const day = text.slice(0, 8);
        const { region, secret } = this;
        return hmac(signing_key({ secret, day, region }), [
            "AWS4-HMAC-SHA256-PAYLOAD", text,
            `${day}/${region}/${SERVICE}/aws4_request`, this.prior,
            sha256_hex(encoded_date), sha256_hex(body),
        ].join("\n")).toString("hex");
    }
}
