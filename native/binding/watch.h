#pragma once

#include <napi.h>

namespace earshot::binding {

/** startWatch(query): a watch that runs, with next() and close(). */
Napi::Value startWatch(const Napi::CallbackInfo& info);

}  // namespace earshot::binding
