// PCM, s16le, mono.

/** Something with the energy and the rhythm of speech: a buzz of 130 Hz and
 * its harmonics in syllables of a quarter of a second. */
export function speech(seconds, rate_hz = 16000) {
    const pcm = Buffer.alloc(2 * Math.round(seconds * rate_hz));
    for (let i = 0; i < pcm.length / 2; i++) {
        const at = i / rate_hz;
        const loudness = 0.35 + 0.65 * Math.abs(Math.sin(4 * Math.PI * at));
        let sum = 0;
        for (let k = 1; k <= 8; k++) {
            sum += Math.sin(2 * Math.PI * 130 * k * at + k) / k;
        }
        pcm.writeInt16LE(Math.round(4500 * loudness * sum), 2 * i);
    }
    return pcm;
}

export function silence(seconds, rate_hz = 16000) {
    return Buffer.alloc(2 * Math.round(seconds * rate_hz));
}

/** Samples that differ everywhere and are never zero, so that whoever gets
 * them with silence in between can tell which were written. */
export function numbered(frames, seed) {
    const pcm = Buffer.alloc(2 * frames);
    let state = seed >>> 0;
    for (let i = 0; i < frames; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        pcm.writeInt16LE((state >> 16) | 1, 2 * i);
    }
    return pcm;
}

/** The same, but so quiet that nobody takes it for speech. */
export function murmur(frames, seed) {
    const pcm = numbered(frames, seed);
    for (let i = 0; i < frames; i++) {
        pcm.writeInt16LE(pcm.readInt16LE(2 * i) % 100 | 1, 2 * i);
    }
    return pcm;
}

/** What is left without the zero samples. */
export function without_silence(pcm) {
    const kept = Buffer.alloc(pcm.length);
    let bytes = 0;
    for (let i = 0; i + 1 < pcm.length; i += 2) {
        if (pcm[i] !== 0 || pcm[i + 1] !== 0) {
            kept[bytes++] = pcm[i];
            kept[bytes++] = pcm[i + 1];
        }
    }
    return kept.subarray(0, bytes);
}

/** The loudest sample. */
export function peak(pcm) {
    let loudest = 0;
    for (let i = 0; i + 1 < pcm.length; i += 2) {
        loudest = Math.max(loudest, Math.abs(pcm.readInt16LE(i)));
    }
    return loudest;
}

/** A WAV file's bytes. */
export function wav(pcm, rate_hz = 16000) {
    const head = Buffer.alloc(44);
    head.write("RIFF", 0);
    head.writeUInt32LE(36 + pcm.length, 4);
    head.write("WAVEfmt ", 8);
    head.writeUInt32LE(16, 16);
    head.writeUInt16LE(1, 20);
    head.writeUInt16LE(1, 22);
    head.writeUInt32LE(rate_hz, 24);
    head.writeUInt32LE(2 * rate_hz, 28);
    head.writeUInt16LE(2, 32);
    head.writeUInt16LE(16, 34);
    head.write("data", 36);
    head.writeUInt32LE(pcm.length, 40);
    return Buffer.concat([head, pcm]);
}
