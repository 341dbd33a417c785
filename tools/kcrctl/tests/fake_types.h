// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "types.h"

#include <bpf/btf.h>

#include <initializer_list>
#include <string>
#include <utility>

namespace kcr::ctl
{

/// Builds type information in memory: what a kernel with these functions would have.
class FakeTypes
{
public:
    struct Named {
        const char* name;
        int type;
    };
    struct Placed {
        const char* name;
        int type;
        unsigned offset; ///< in bytes
    };

    FakeTypes() : btf_(btf__new_empty())
    {
        u8 = typedef_of("u8", btf__add_int(btf_, "unsigned char", 1, 0));
        u32 = typedef_of("u32", btf__add_int(btf_, "unsigned int", 4, 0));
        s32 = btf__add_int(btf_, "int", 4, BTF_INT_SIGNED);
        size_t_ = typedef_of("size_t", btf__add_int(btf_, "unsigned long", 8, 0));
    }

    int typedef_of(const char* name, int type)
    {
        return btf__add_typedef(btf_, name, type);
    }
    int pointer(int type)
    {
        return btf__add_ptr(btf_, type);
    }
    int const_pointer(int type)
    {
        return btf__add_ptr(btf_, btf__add_const(btf_, type));
    }
    int array(int type, unsigned count)
    {
        return btf__add_array(btf_, s32, type, count);
    }
    int structure(const char* name, unsigned size, std::initializer_list<Placed> fields)
    {
        const int id = btf__add_struct(btf_, name, size);
        for (const auto& field : fields)
            btf__add_field(btf_, field.name, field.type, field.offset * 8, 0);
        return id;
    }
    void function(const char* name, int result, std::initializer_list<Named> parameters)
    {
        const int prototype = btf__add_func_proto(btf_, result);
        for (const auto& parameter : parameters)
            btf__add_func_param(btf_, parameter.name, parameter.type);
        btf__add_func(btf_, name, BTF_FUNC_STATIC, prototype);
    }
    /// Ends building.
    Types take()
    {
        return Types::adopt(std::exchange(btf_, nullptr));
    }

    int u8;
    int u32;
    int s32;
    int size_t_;

private:
    btf* btf_;
};

} // namespace kcr::ctl
