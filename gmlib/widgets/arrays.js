// Arrays that arrays.py wrote as text.

// `Kind` is the type of the array, such as Int16Array. Its bytes are little-endian, as on every machine with a browser.
function fromBase64(text, Kind) {
  return new Kind(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).buffer);
}

// One image from bytes of several: 784 numbers from 0 to 1.
function imageAt(bytes, index) {
  return Array.from(bytes.subarray(784 * index, 784 * (index + 1)), (value) => value / 255);
}
