#pragma once

#include <napi.h>

namespace earshot::binding {

/**
 * `readSocketsInParts(query, take)`: calls `take` with where a part begins and the part, while the
 * rest is being read; the promise settles when it has had all.
 */
Napi::Value readSocketsInParts(const Napi::CallbackInfo& info);

}  // namespace earshot::binding
