#pragma once

#include <napi.h>

namespace earshot::binding {

/**
 * `readSocketsInParts`: calls its last argument with where a part begins and the part, while the
 * rest is being read; the promise settles when that has had all.
 */
Napi::Value readSocketsInParts(const Napi::CallbackInfo& info);

}  // namespace earshot::binding
