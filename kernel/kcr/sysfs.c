// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: /sys/kernel/kcr, what an administrator sets.
 */
#include <linux/export.h>
#include <linux/kcr.h>
#include <linux/kobject.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "kcr_private.h"

struct kcr_site_dir {
	struct kobject kobj;
	struct kcr_site *site;
};

struct kobject *kcr_kobj;
EXPORT_SYMBOL_GPL(kcr_kobj);
static struct kobject *kcr_sites_kobj;

static struct kcr_site *kcr_kobj_site(struct kobject *kobj)
{
	return container_of(kobj, struct kcr_site_dir, kobj)->site;
}

/* A number within bounds: 0, or what kstrtouint() says, or -ERANGE */
static int kcr_parse(const char *buf, u32 min, u32 max, u32 *value)
{
	int err = kstrtouint(buf, 0, value);

	if (err)
		return err;
	return *value < min || *value > max ? -ERANGE : 0;
}

static ssize_t mode_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *buf)
{
	u8 mode = READ_ONCE(kcr_kobj_site(kobj)->mode);

	return sysfs_emit(buf, "%s\n", kcr_mode_names[mode]);
}

static ssize_t mode_store(struct kobject *kobj, struct kobj_attribute *attr,
			  const char *buf, size_t count)
{
	int mode = sysfs_match_string(kcr_mode_names, buf);

	if (mode >= 0)
		mode = kcr_site_set_mode(kcr_kobj_site(kobj), mode);
	return mode < 0 ? mode : count;
}

static struct kobj_attribute mode_attr = __ATTR_RW(mode);

static ssize_t expiry_ms_show(struct kobject *kobj, struct kobj_attribute *attr,
			      char *buf)
{
	unsigned long ttl = READ_ONCE(kcr_kobj_site(kobj)->ttl);

	return sysfs_emit(buf, "%u\n", jiffies_to_msecs(ttl));
}

static ssize_t expiry_ms_store(struct kobject *kobj, struct kobj_attribute *attr,
			       const char *buf, size_t count)
{
	u32 ms;
	/* Ages are compared in 32 bits of jiffies */
	int err = kcr_parse(buf, 0, 24 * 60 * 60 * MSEC_PER_SEC, &ms);

	if (err)
		return err;
	kcr_site_set_ttl(kcr_kobj_site(kobj), msecs_to_jiffies(ms));
	return count;
}

static struct kobj_attribute expiry_ms_attr = __ATTR_RW(expiry_ms);

static ssize_t audit_interval_show(struct kobject *kobj,
				   struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n",
			  READ_ONCE(kcr_kobj_site(kobj)->audit_interval));
}

static ssize_t audit_interval_store(struct kobject *kobj,
				    struct kobj_attribute *attr,
				    const char *buf, size_t count)
{
	u32 interval;
	int err = kcr_parse(buf, 0, S32_MAX, &interval);

	if (err)
		return err;
	WRITE_ONCE(kcr_kobj_site(kobj)->audit_interval, interval);
	return count;
}

static struct kobj_attribute audit_interval_attr = __ATTR_RW(audit_interval);

static ssize_t learn_target_show(struct kobject *kobj,
				 struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n",
			  READ_ONCE(kcr_kobj_site(kobj)->learn_target));
}

static ssize_t learn_target_store(struct kobject *kobj,
				  struct kobj_attribute *attr,
				  const char *buf, size_t count)
{
	u32 target;
	int err = kcr_parse(buf, 1, S32_MAX, &target);

	if (err)
		return err;
	kcr_site_set_learn_target(kcr_kobj_site(kobj), target);
	return count;
}

static struct kobj_attribute learn_target_attr = __ATTR_RW(learn_target);

static const char * const kcr_bypass_names[] = { "auto", "never" };

static ssize_t bypass_show(struct kobject *kobj, struct kobj_attribute *attr,
			   char *buf)
{
	bool always = READ_ONCE(kcr_kobj_site(kobj)->always);

	return sysfs_emit(buf, "%s\n", kcr_bypass_names[always]);
}

static ssize_t bypass_store(struct kobject *kobj, struct kobj_attribute *attr,
			    const char *buf, size_t count)
{
	int always = sysfs_match_string(kcr_bypass_names, buf);

	if (always < 0)
		return always;
	kcr_site_set_always(kcr_kobj_site(kobj), always);
	return count;
}

static struct kobj_attribute bypass_attr = __ATTR_RW(bypass);

static struct attribute *kcr_site_attrs[] = {
	&mode_attr.attr,
	&expiry_ms_attr.attr,
	&audit_interval_attr.attr,
	&learn_target_attr.attr,
	&bypass_attr.attr,
	NULL
};
ATTRIBUTE_GROUPS(kcr_site);

static void kcr_site_dir_release(struct kobject *kobj)
{
	kfree(container_of(kobj, struct kcr_site_dir, kobj));
}

static const struct kobj_type kcr_site_ktype = {
	.release = kcr_site_dir_release,
	.sysfs_ops = &kobj_sysfs_ops,
	.default_groups = kcr_site_groups,
};

/**
 * kcr_sysfs_add_site() - make a site's directory
 * @site: the site
 *
 * Context: may sleep.
 * Return: 0 or an error of kobject_init_and_add().
 */
int kcr_sysfs_add_site(struct kcr_site *site)
{
	struct kcr_site_dir *dir = kzalloc(sizeof(*dir), GFP_KERNEL);
	int err;

	if (!dir)
		return -ENOMEM;
	dir->site = site;
	err = kobject_init_and_add(&dir->kobj, &kcr_site_ktype, kcr_sites_kobj,
				   "%s", site->name);
	if (err) {
		kobject_put(&dir->kobj);
		return err;
	}
	site->dir = dir;
	return 0;
}

/**
 * kcr_sysfs_del_site() - remove a site's directory
 * @site: the site
 *
 * Context: may sleep; waits for readers and writers of its files.
 */
void kcr_sysfs_del_site(struct kcr_site *site)
{
	kobject_del(&site->dir->kobj);
	kobject_put(&site->dir->kobj);
	site->dir = NULL;
}

/* kcr_sysfs_init() - make /sys/kernel/kcr/sites; 0 or -ENOMEM */
int __init kcr_sysfs_init(void)
{
	kcr_kobj = kobject_create_and_add("kcr", kernel_kobj);
	if (!kcr_kobj)
		return -ENOMEM;
	kcr_sites_kobj = kobject_create_and_add("sites", kcr_kobj);
	if (!kcr_sites_kobj) {
		kobject_put(kcr_kobj);
		return -ENOMEM;
	}
	return 0;
}
