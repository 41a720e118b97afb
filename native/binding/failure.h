#pragma once

#include <napi.h>

#include "error.h"

namespace earshot::binding {

/** The error that lib/native.ts makes an EarshotError of. */
Napi::Error toError(Napi::Env env, const Failure& failure);

}  // namespace earshot::binding
