// SPDX-License-Identifier: Apache-2.0
/* Any bytes as text, by the freestanding tokenizer and by the host's: the same ids. The first byte
 * picks the options, the second how many tokens may stay, the third where a pair is split. */
#include "tests/fuzz/fuzz.h"
#include "tests/support/device_text.h"

static const char tokens[] =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##a\nb\n##b\nthe\n##ing\n,\n.\n[\n<\n"
    "\u4F60\n\u00E9\n##\u0301\n##\u0323\n\u1EAD\n##\u00E9\ne\n##e\no\n##o\n\u03C3\n##\u03C3\n"
    "##\u03C2\n\u03B1\n\uAC00\n##\u11A8\n##\u11A7\n\u1100\n##\u1161\ni\n##i\n##\u0307\n\u226E\n##"
    "\u302E\n";

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static twin_tokenizer twins[4]; /* tables take longer to make than a text to read */
    if (size < 3) return 0;
    twin_tokenizer *twin = &twins[bytes[0] % 4];
    if (!twin->tables) {
        rt_tokenizer_options options = twin_options(bytes[0] % 4);
        FUZZ_REQUIRE(twin_open(twin, rt_text_of(tokens), &options));
    }
    const char *text = (const char *)bytes + 3;
    size_t length = size - 3, split = length * bytes[2] / 256;
    uint32_t max_tokens = bytes[1] < 3 ? 0 : bytes[1];
    rt_text second = {text + split, length - split};
    FUZZ_REQUIRE(twin_agrees(twin, (rt_text){text, length}, NULL, max_tokens));
    FUZZ_REQUIRE(twin_agrees(twin, (rt_text){text, split}, &second, max_tokens));
    return 0;
}
