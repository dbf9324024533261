// Numbers and images that packing.py wrote as text.

// `Kind` is the array of their kind, such as Int16Array: low byte first, as on every machine that shows pages.
function unpacked(text, Kind) {
  return new Kind(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).buffer);
}

// One of the images in bytes of ink: 784 numbers from 0 to 1.
function tile(ink, which) {
  return Array.from(ink.subarray(784 * which, 784 * (which + 1)), (value) => value / 255);
}
